//! How the modules of these crates are printed: as by Burn's `derive(Module)`, with functions that are compiled once.
//!
//! Burn's [`ModuleDisplay::format`] and [`Content::add`] are compiled again for the type of each module and of each field.
//! [`derive(InlineModule)`](crate::InlineModule) calls the functions of this file instead.

use burn::module::{Attribute, Content, DisplaySettings, ModuleDisplay, ModuleDisplayDefault};
use std::any::type_name;
use std::fmt::{Debug, Display};

/// A module that can be printed: every function of [`ModuleDisplay`] but `format`, which would be compiled for each type.
pub trait Printed {
    /// The name of the type, with its path.
    fn type_name(&self) -> &'static str;

    /// [`ModuleDisplay::custom_settings`].
    fn custom_settings(&self) -> Option<DisplaySettings>;

    /// [`ModuleDisplay::custom_content`].
    fn custom_content(&self, content: Content) -> Option<Content>;

    /// [`ModuleDisplayDefault::content`].
    fn content(&self, content: Content) -> Option<Content>;

    /// [`ModuleDisplayDefault::num_params`].
    fn num_params(&self) -> usize;
}

impl<M: ModuleDisplay> Printed for M {
    #[inline]
    fn type_name(&self) -> &'static str {
        type_name::<M>()
    }

    #[inline]
    fn custom_settings(&self) -> Option<DisplaySettings> {
        ModuleDisplay::custom_settings(self)
    }

    #[inline]
    fn custom_content(&self, content: Content) -> Option<Content> {
        ModuleDisplay::custom_content(self, content)
    }

    #[inline]
    fn content(&self, content: Content) -> Option<Content> {
        ModuleDisplayDefault::content(self, content)
    }

    #[inline]
    fn num_params(&self) -> usize {
        ModuleDisplayDefault::num_params(self)
    }
}

/// What Burn's [`ModuleDisplay::format`] makes of a module.
pub fn format(module: &dyn Printed, settings: DisplaySettings) -> String {
    Named(module).format(settings)
}

/// [`Content::add`], for a field that is a module.
pub fn module(content: Content, name: &str, value: &dyn Printed) -> Content {
    let text = format(value, content.display_settings.clone());
    attribute(content, name, text, value.type_name())
}

/// [`Content::add_debug_attribute`], for a field that is no module.
#[inline]
pub fn debug<T: Debug>(content: Content, name: &str, value: &T) -> Content {
    any_debug(content, name, value, type_name::<T>())
}

/// [`Content::add`], for a number.
#[inline]
pub fn number<T: Display>(content: Content, name: &str, value: &T) -> Content {
    any_number(content, name, value, type_name::<T>())
}

fn any_debug(content: Content, name: &str, value: &dyn Debug, ty: &str) -> Content {
    attribute(content, name, format!("{value:?}"), ty)
}

fn any_number(content: Content, name: &str, value: &dyn Display, ty: &str) -> Content {
    attribute(content, name, value.to_string(), ty)
}

fn attribute(mut content: Content, name: &str, value: String, ty: &str) -> Content {
    content.attributes.push(Attribute {
        name: name.to_owned(),
        value,
        ty: ty.to_owned(),
    });
    content
}

/// A module that gives its name to content without a name. It is the only type for which `format` is compiled.
struct Named<'a>(&'a dyn Printed);

impl Named<'_> {
    fn named(&self, content: Content) -> Content {
        if content.top_level_type.is_some() {
            return content;
        }
        let path = self.0.type_name().split('<').next().unwrap_or_default();
        let name = path.rsplit("::").next().unwrap_or_default();
        content.set_top_level_type(name)
    }
}

impl ModuleDisplayDefault for Named<'_> {
    fn content(&self, content: Content) -> Option<Content> {
        let content = self.0.content(content)?;
        Some(self.named(content))
    }

    fn num_params(&self) -> usize {
        self.0.num_params()
    }
}

impl ModuleDisplay for Named<'_> {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        self.0.custom_settings()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let content = self.0.custom_content(content)?;
        Some(self.named(content))
    }
}
