#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

mod module;

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt as _;
use syn::{Attribute, Data, DeriveInput, Expr, ExprLit, Fields, Ident, Lit, Type};

/// Derives a configuration like Burn's `derive(Config)`, with two differences in loading: a missing field gets
/// its default, and an unknown field is an error. An error names the field that it is about. `save` refuses a
/// configuration that `load` could not read.
///
/// `#[config(default = …)]` gives a field its default: an expression, in a string unless it is a literal. An
/// `Option` without a default attribute defaults to `None`. Every other field is required, and is an argument
/// of `new`.
///
/// The crate that uses it must depend on `burn` with its feature `std`. The struct cannot be generic.
#[proc_macro_derive(Config, attributes(config))]
pub fn derive_config(item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let item = syn::parse_macro_input!(item as DeriveInput);
    Config::parse(item)
        .map(|config| config.expand())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Derives Burn's trait `Module` like Burn's `derive(Module)`, with functions that are compiled only in programs that call
/// them: for the layers of a library, of which a program uses few. A module is saved, loaded, moved and printed as with Burn's
/// derive.
///
/// `#[module(skip)]` marks a field that is no module, such as a number; Burn's derive knows numbers by their type, this one
/// does not. `#[module(custom_display)]` marks a struct whose `ModuleDisplay` is written by hand.
///
/// The bounds of a generic parameter that is a module must be written out, `M: Module + ModuleDisplay`; Burn's derive adds them.
///
/// The crate that uses it must depend on `burn` and on `burn-tricks-core`. Neither an enum nor a tuple struct can be derived.
#[proc_macro_derive(InlineModule, attributes(module))]
pub fn derive_inline_module(item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let item = syn::parse_macro_input!(item as DeriveInput);
    module::Module::parse(item)
        .map(|module| module.expand())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

struct Config {
    name: Ident,
    /// The fields in the order in which Burn writes them: required fields first.
    fields: Vec<Field>,
}

struct Field {
    name: Ident,
    ty: Type,
    docs: Vec<Attribute>,
    /// `None` for a required field.
    default: Option<Expr>,
}

impl Config {
    fn parse(item: DeriveInput) -> syn::Result<Self> {
        let Data::Struct(syn::DataStruct {
            fields: Fields::Named(fields),
            ..
        }) = item.data
        else {
            let message = "a configuration must be a struct with named fields";
            return Err(syn::Error::new_spanned(item.ident, message));
        };
        if !item.generics.params.is_empty() {
            let message = "a configuration cannot be generic";
            return Err(syn::Error::new_spanned(item.generics, message));
        }
        let fields = fields.named.into_iter().map(Field::parse);
        let mut fields: Vec<_> = fields.collect::<syn::Result<_>>()?;
        fields.sort_by_key(|(order, _)| *order);
        Ok(Self {
            name: item.ident,
            fields: fields.into_iter().map(|(_, field)| field).collect(),
        })
    }

    /// All functions are `#[inline]`, so that they are compiled only in programs that call them.
    fn expand(&self) -> TokenStream {
        let name = &self.name;
        let new = self.new_fn();
        let setters = self.fields.iter().filter_map(Field::setter);
        let serde = self.serde();
        let fields: Vec<_> = self.fields.iter().map(|field| &field.name).collect();
        quote! {
            impl #name {
                #new
                #(#setters)*
            }

            #[automatically_derived]
            impl ::core::clone::Clone for #name {
                #[inline]
                fn clone(&self) -> Self {
                    Self { #(#fields: ::core::clone::Clone::clone(&self.#fields)),* }
                }
            }

            #[automatically_derived]
            impl ::core::fmt::Display for #name {
                #[inline]
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.write_str(&::burn::config::config_to_json(self))
                }
            }

            #[automatically_derived]
            impl ::burn::config::Config for #name {
                /// Refuses what `load` could not read, such as NaN, which is `null` in JSON. A file that is there is replaced
                /// as soon as the new one is written whole, in the same folder, where it must be possible to make and rename
                /// files; the new file has the permissions of a new file. An error names the file.
                #[inline]
                fn save<P: ::core::convert::AsRef<::std::path::Path>>(
                    &self,
                    file: P,
                ) -> ::std::io::Result<()> {
                    use ::std::{fs, io, format, process};

                    let file = file.as_ref();
                    let named = |kind: io::ErrorKind, text: ::core::fmt::Arguments<'_>| {
                        io::Error::new(kind, format!("{}: {text}", file.display()))
                    };
                    let json = ::burn::config::config_to_json(self);
                    if let Err(error) = Self::load_binary(json.as_bytes()) {
                        return Err(named(
                            io::ErrorKind::InvalidData,
                            ::core::format_args!(
                                "the configuration could not be loaded again; JSON has no NaN and no infinity: {error}"
                            ),
                        ));
                    }
                    // A link, or a device such as `/dev/stdout`, stays.
                    let written = if fs::symlink_metadata(file).is_ok_and(|file| !file.is_file()) {
                        fs::write(file, json)
                    } else {
                        let mut unfinished = file.as_os_str().to_owned();
                        let thread = ::std::thread::current().id();
                        unfinished.push(format!(".unfinished-{}-{thread:?}", process::id()));
                        let written = fs::write(&unfinished, json);
                        let written = written.and_then(|()| fs::rename(&unfinished, file));
                        if written.is_err() {
                            let _ = fs::remove_file(&unfinished);
                        }
                        written
                    };
                    written.map_err(|error| named(error.kind(), ::core::format_args!("{error}")))
                }
            }

            #serde
        }
    }

    fn new_fn(&self) -> TokenStream {
        let (names, types): (Vec<_>, Vec<_>) = self
            .fields
            .iter()
            .filter(|field| field.default.is_none())
            .map(|field| (&field.name, &field.ty))
            .unzip();
        let docs = self.fields.iter().map(Field::docs_in_new);
        let values = self.fields.iter().map(|Field { name, default, .. }| {
            let value = default.as_ref().map(|default| quote!(: #default));
            quote!(#name #value)
        });
        quote! {
            /// The configuration with these required fields, and all other fields at their defaults.
            ///
            #(#docs)*
            #[inline]
            #[allow(clippy::too_many_arguments)]
            pub fn new(#(#names: #types),*) -> Self {
                Self { #(#values),* }
            }
        }
    }

    /// Serde's derives, on a copy of the struct to which attributes can be added. The copy and the functions beside it have
    /// names that nobody else writes: a default is an expression that sees them.
    fn serde(&self) -> TokenStream {
        let name = &self.name;
        let remote = name.to_string();
        let twin = format_ident!("__BurnTricks{}", name.unraw());
        let (fields, functions): (Vec<_>, Vec<_>) = self.fields.iter().map(Field::serde).unzip();
        quote! {
            const _: () = {
                #(#functions)*

                #[derive(::burn::serde::Serialize, ::burn::serde::Deserialize)]
                #[serde(crate = "::burn::serde", remote = #remote, deny_unknown_fields)]
                struct #twin { #(#fields),* }

                impl ::burn::serde::Serialize for #name {
                    fn serialize<S: ::burn::serde::Serializer>(
                        &self,
                        serializer: S,
                    ) -> ::core::result::Result<S::Ok, S::Error> {
                        #twin::serialize(self, serializer)
                    }
                }

                impl<'de> ::burn::serde::Deserialize<'de> for #name {
                    fn deserialize<D: ::burn::serde::Deserializer<'de>>(
                        deserializer: D,
                    ) -> ::core::result::Result<Self, D::Error> {
                        #twin::deserialize(deserializer)
                    }
                }
            };
        }
    }
}

impl Field {
    /// The field, and its position class in Burn's order: first required fields, then each `Option` without a
    /// default attribute, then fields with a default attribute.
    fn parse(field: syn::Field) -> syn::Result<(u8, Self)> {
        let (configs, others): (Vec<_>, Vec<_>) = field
            .attrs
            .into_iter()
            .partition(|attribute| attribute.path().is_ident("config"));
        let written = configs.iter().map(default).next().transpose()?;
        let (order, default) = match written {
            Some(default) => (2, Some(default)),
            None if is_named(&field.ty, "Option") => (1, Some(syn::parse_quote!(None))),
            None => (0, None),
        };
        let docs = others.into_iter().filter(|a| a.path().is_ident("doc"));
        let field = Self {
            name: field.ident.expect("the fields are named"),
            ty: field.ty,
            docs: docs.collect(),
            default,
        };
        Ok((order, field))
    }

    /// The sentence of Burn's derive about a default.
    fn default_doc(&self) -> Option<String> {
        let default = self.default.as_ref()?;
        Some(format!("- Defaults to `{}`", default.to_token_stream()))
    }

    fn docs_in_new(&self) -> TokenStream {
        let docs = &self.docs;
        let title = format!("###### `{}`\n\n", self.name.unraw());
        let default = self.default_doc().into_iter();
        quote!(#[doc = #title] #(#docs)* #(#[doc = #default])*)
    }

    fn setter(&self) -> Option<TokenStream> {
        let default = self.default_doc()?;
        let Self { name, ty, docs, .. } = self;
        let setter = format_ident!("with_{}", name.unraw());
        let shown = name.unraw();
        let title = format!("Sets [`{shown}`](Self::{shown}).\n\n");
        Some(quote! {
            #[doc = #title]
            #(#docs)*
            #[doc = #default]
            #[inline]
            #[must_use]
            pub fn #setter(mut self, #name: #ty) -> Self {
                self.#name = #name;
                self
            }
        })
    }

    /// The field of the copy, and its functions: one that reads it, whose error names the field, and one that returns its
    /// default.
    fn serde(&self) -> (TokenStream, TokenStream) {
        let Self { name, ty, .. } = self;
        let read = format_ident!("__burn_tricks_read_{}", name.unraw());
        let read_path = read.to_string();
        let error = format!("`{}`: {{error}}", name.unraw());
        let read = quote! {
            #[inline]
            fn #read<'de, D: ::burn::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<#ty, D::Error> {
                ::burn::serde::Deserialize::deserialize(deserializer).map_err(|error| {
                    ::burn::serde::de::Error::custom(::core::format_args!(#error))
                })
            }
        };
        let Some(default) = &self.default else {
            return (
                quote!(#[serde(deserialize_with = #read_path)] #name: #ty),
                read,
            );
        };
        let function = format_ident!("__burn_tricks_default_{}", name.unraw());
        let path = function.to_string();
        (
            quote!(#[serde(default = #path, deserialize_with = #read_path)] #name: #ty),
            quote! {
                #read
                fn #function() -> #ty { #default }
            },
        )
    }
}

/// The expression of `#[config(default = …)]`: a literal, or the content of a string.
fn default(attribute: &Attribute) -> syn::Result<Expr> {
    let mut default = None;
    attribute.parse_nested_meta(|meta| {
        if !meta.path.is_ident("default") {
            return Err(meta.error("expected `default = …`"));
        }
        default = Some(match meta.value()?.parse()? {
            Expr::Lit(ExprLit {
                lit: Lit::Str(expression),
                ..
            }) => expression.parse()?,
            expression => expression,
        });
        Ok(())
    })?;
    default.ok_or_else(|| syn::Error::new_spanned(attribute, "expected `default = …`"))
}

/// Whether the last segment of the type is this name.
fn is_named(ty: &Type, name: &str) -> bool {
    let Type::Path(path) = ty else { return false };
    let last = path.path.segments.last();
    last.is_some_and(|segment| segment.ident == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(item: DeriveInput) -> String {
        let config = Config::parse(item);
        config.err().expect("no configuration").to_string()
    }

    #[test]
    fn what_cannot_be_a_configuration_says_why() {
        let not_a_struct = "a configuration must be a struct with named fields";
        assert_eq!(
            error(syn::parse_quote!(
                enum Mode {
                    On,
                }
            )),
            not_a_struct
        );
        assert_eq!(
            error(syn::parse_quote!(
                struct Rate(f64);
            )),
            not_a_struct
        );
        let generic = error(syn::parse_quote!(
            struct Of<T> {
                value: T,
            }
        ));
        assert_eq!(generic, "a configuration cannot be generic");
    }

    #[test]
    fn a_default_that_is_none_says_what_is_expected() {
        let misspelt = error(syn::parse_quote!(
            struct Rate {
                #[config(defalt = 1.0)]
                rate: f64,
            }
        ));
        assert_eq!(misspelt, "expected `default = …`");
        let empty = error(syn::parse_quote!(
            struct Rate {
                #[config()]
                rate: f64,
            }
        ));
        assert_eq!(empty, "expected `default = …`");
    }

    #[test]
    fn the_order_is_that_of_burn() {
        let item = syn::parse_quote! {
            struct Config {
                #[config(default = -1.5)]
                a: f64,
                b: Option<f64>,
                c: usize,
                #[config(default = "Vec::new()")]
                d: Vec<u8>,
            }
        };
        let fields = Config::parse(item).map(|config| config.fields).unwrap();
        let names: Vec<_> = fields.iter().map(|field| field.name.to_string()).collect();
        assert_eq!(names, ["c", "b", "a", "d"]);
        let default = |at: usize| fields[at].default.to_token_stream().to_string();
        assert_eq!(
            [0, 1, 2, 3].map(default),
            ["", "None", "- 1.5", "Vec :: new ()"]
        );
    }
}
