//! The texts of modules.

use burn::module::{Content, DisplaySettings, ModuleDisplay, ModuleDisplayDefault};

/// What Burn's [`ModuleDisplay::format`] makes of a module, called `name` where its content has no name.
///
/// Burn's function is compiled again for each type of module. This one is not, and calls Burn's for one type.
pub(crate) fn format(module: &dyn ModuleDisplay, name: &str, settings: DisplaySettings) -> String {
    Named { module, name }.format(settings)
}

/// Implements [`ModuleDisplay`] as Burn's `derive(Module)` does, but with our [`format`]. The module must have the attribute
/// `#[module(custom_display)]`.
macro_rules! display_module {
    ($module:ident) => {
        impl burn::module::ModuleDisplay for $module {
            fn format(&self, settings: burn::module::DisplaySettings) -> String {
                crate::display::format(self, stringify!($module), settings)
            }
        }
    };
}
pub(crate) use display_module;

struct Named<'a> {
    module: &'a dyn ModuleDisplay,
    name: &'a str,
}

impl Named<'_> {
    fn named(&self, content: Content) -> Content {
        match content.top_level_type {
            Some(_) => content,
            None => content.set_top_level_type(self.name),
        }
    }
}

impl ModuleDisplayDefault for Named<'_> {
    fn content(&self, content: Content) -> Option<Content> {
        let content = self.module.content(content)?;
        Some(self.named(content))
    }

    fn num_params(&self) -> usize {
        self.module.num_params()
    }
}

impl ModuleDisplay for Named<'_> {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        self.module.custom_settings()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let content = self.module.custom_content(content)?;
        Some(self.named(content))
    }
}
