//! `derive(InlineModule)`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Fields, Generics, Ident};

/// A struct that becomes a module.
pub(crate) struct Module {
    name: Ident,
    generics: Generics,
    fields: Vec<Field>,
    /// Whether `ModuleDisplay` is written by hand.
    has_custom_display: bool,
}

struct Field {
    name: Ident,
    /// Whether the field is data, and not a module.
    is_skipped: bool,
}

impl Module {
    pub(crate) fn parse(item: DeriveInput) -> syn::Result<Self> {
        let Data::Struct(syn::DataStruct {
            fields: Fields::Named(fields),
            ..
        }) = item.data
        else {
            let message = "an inline module must be a struct with named fields";
            return Err(syn::Error::new_spanned(item.ident, message));
        };
        let field = |field: syn::Field| {
            let is_skipped = has_word(&field.attrs, "skip")?;
            if is_skipped && crate::is_named(&field.ty, "Param") {
                let message = "a `Param` cannot be skipped: it would be neither trained nor saved";
                return Err(syn::Error::new_spanned(&field.ty, message));
            }
            Ok(Field {
                is_skipped,
                name: field.ident.expect("the fields are named"),
            })
        };
        Ok(Self {
            has_custom_display: has_word(&item.attrs, "custom_display")?,
            name: item.ident,
            generics: item.generics,
            fields: fields
                .named
                .into_iter()
                .map(field)
                .collect::<syn::Result<_>>()?,
        })
    }

    /// The items of Burn's `derive(Module)`. All functions are `#[inline]`, so that they are compiled only in programs
    /// that call them, and what is printed takes functions that are compiled once, in `burn-tricks-core`.
    pub(crate) fn expand(&self) -> TokenStream {
        let name = &self.name;
        let (generics, arguments, bounds) = self.generics.split_for_impl();
        let module = self.module();
        let content = self.fields.iter().map(Field::content);
        let fields: Vec<_> = self.fields.iter().map(|field| &field.name).collect();
        let display = (!self.has_custom_display).then(|| {
            quote! {
                #[automatically_derived]
                impl #generics ::burn::module::ModuleDisplay for #name #arguments #bounds {
                    #[inline]
                    fn format(&self, settings: ::burn::module::DisplaySettings) -> ::std::string::String {
                        ::burn_tricks_core::display::format(self, settings)
                    }
                }
            }
        });
        quote! {
            #[automatically_derived]
            #[allow(unused_variables)] // a struct may have no module among its fields
            impl #generics ::burn::module::Module for #name #arguments #bounds {
                #module
            }

            #[automatically_derived]
            impl #generics ::core::clone::Clone for #name #arguments #bounds {
                #[inline]
                fn clone(&self) -> Self {
                    Self { #(#fields: ::core::clone::Clone::clone(&self.#fields)),* }
                }
            }

            #[automatically_derived]
            impl #generics ::core::fmt::Display for #name #arguments #bounds {
                #[inline]
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.write_str(&::burn::module::ModuleDisplay::format(self, ::core::default::Default::default()))
                }
            }

            #[automatically_derived]
            impl #generics ::burn::module::ModuleDisplayDefault for #name #arguments #bounds {
                #[inline]
                fn content(
                    &self,
                    content: ::burn::module::Content,
                ) -> ::core::option::Option<::burn::module::Content> {
                    let content = content.set_top_level_type(::core::stringify!(#name));
                    #(#content)*
                    content.optional()
                }

                #[inline]
                fn num_params(&self) -> usize {
                    ::burn::module::Module::num_params(self)
                }
            }

            #display
        }
    }

    /// The functions of Burn's trait `Module`.
    fn module(&self) -> TokenStream {
        let container = format!("Struct:{}", self.name);
        let modules = || self.fields.iter().filter(|field| !field.is_skipped);
        let skipped = self.fields.iter().filter(|field| field.is_skipped);
        let skipped: Vec<_> = skipped.map(|field| &field.name).collect();
        let names: Vec<_> = modules().map(|field| &field.name).collect();
        let words: Vec<_> = names.iter().map(|name| name.to_string()).collect();
        quote! {
            #[inline]
            fn num_params(&self) -> usize {
                0 #(+ ::burn::module::Module::num_params(&self.#names))*
            }

            #[inline]
            fn visit<Visitor: ::burn::module::ModuleVisitor>(&self, visitor: &mut Visitor) {
                #(
                    visitor.enter_module(#words, #container);
                    ::burn::module::Module::visit(&self.#names, visitor);
                    visitor.exit_module(#words, #container);
                )*
            }

            #[inline]
            fn map<Mapper: ::burn::module::ModuleMapper>(self, mapper: &mut Mapper) -> Self {
                #(
                    mapper.enter_module(#words, #container);
                    let #names = ::burn::module::Module::map(self.#names, mapper);
                    mapper.exit_module(#words, #container);
                )*
                Self { #(#names,)* #(#skipped: self.#skipped,)* }
            }

            #[inline]
            fn collect_devices(&self, devices: ::burn::module::Devices) -> ::burn::module::Devices {
                #(let devices = ::burn::module::Module::collect_devices(&self.#names, devices);)*
                devices
            }

            #[inline]
            fn to_device(self, device: &::burn::tensor::Device) -> Self {
                Self {
                    #(#names: ::burn::module::Module::to_device(self.#names, device),)*
                    #(#skipped: self.#skipped,)*
                }
            }

            #[inline]
            fn fork(self, device: &::burn::tensor::Device) -> Self {
                Self {
                    #(#names: ::burn::module::Module::fork(self.#names, device),)*
                    #(#skipped: self.#skipped,)*
                }
            }

            #[inline]
            fn valid(&self) -> Self {
                Self {
                    #(#names: ::burn::module::Module::valid(&self.#names),)*
                    #(#skipped: ::core::clone::Clone::clone(&self.#skipped),)*
                }
            }

            #[inline]
            fn train(self) -> Self {
                Self {
                    #(#names: ::burn::module::Module::train(self.#names),)*
                    #(#skipped: self.#skipped,)*
                }
            }

            #[inline]
            fn materialize(self) -> Self {
                Self {
                    #(#names: ::burn::module::Module::materialize(self.#names),)*
                    #(#skipped: self.#skipped,)*
                }
            }
        }
    }
}

impl Field {
    /// Adds the field to what is printed.
    fn content(&self) -> TokenStream {
        let name = &self.name;
        let add = if self.is_skipped {
            quote!(debug)
        } else {
            quote!(module)
        };
        quote! {
            let content = ::burn_tricks_core::display::#add(content, ::core::stringify!(#name), &self.#name);
        }
    }
}

/// Whether there is `#[module(word)]`, which is the only word that may be there.
fn has_word(attributes: &[Attribute], word: &str) -> syn::Result<bool> {
    let mut found = false;
    for attribute in attributes {
        if attribute.path().is_ident("module") {
            attribute.parse_nested_meta(|meta| {
                found = true;
                if meta.path.is_ident(word) {
                    Ok(())
                } else {
                    Err(meta.error(format!("expected `{word}`")))
                }
            })?;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(item: DeriveInput) -> String {
        let module = Module::parse(item);
        module.err().expect("no module").to_string()
    }

    #[test]
    fn what_cannot_be_a_module_says_why() {
        let choice = error(syn::parse_quote!(
            enum Choice {
                Linear(Linear),
            }
        ));
        assert_eq!(
            choice,
            "an inline module must be a struct with named fields"
        );
        let misspelt = error(syn::parse_quote!(
            struct Layer {
                #[module(skipped)]
                size: usize,
            }
        ));
        assert_eq!(misspelt, "expected `skip`");
        let misplaced = error(syn::parse_quote!(
            #[module(skip)]
            struct Layer {
                weight: Param<Tensor<2>>,
            }
        ));
        assert_eq!(misplaced, "expected `custom_display`");
        let skipped = error(syn::parse_quote!(
            struct Layer {
                #[module(skip)]
                weight: Param<Tensor<2>>,
            }
        ));
        assert_eq!(
            skipped,
            "a `Param` cannot be skipped: it would be neither trained nor saved"
        );
    }
}
