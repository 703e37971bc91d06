//! The colours of the drawings. A drawing by itself is for a light page; the page exchanges them for
//! those of a dark one by the attributes that hold them.

use plotters::style::RGBColor;

pub(crate) const INK: RGBColor = RGBColor(0x1B, 0x1F, 0x24);
pub(crate) const MUTED: RGBColor = RGBColor(0x59, 0x63, 0x6E);
pub(crate) const GRID: RGBColor = RGBColor(0xD8, 0xDE, 0xE4);
pub(crate) const BAND: RGBColor = RGBColor(0xE3, 0xEC, 0xF8);
pub(crate) const HELPS: RGBColor = RGBColor(0x0A, 0x6B, 0x38);
pub(crate) const HURTS: RGBColor = RGBColor(0xB3, 0x26, 0x1E);
pub(crate) const EQUAL: RGBColor = RGBColor(0x0B, 0x5C, 0xAD);
pub(crate) const PAPER: RGBColor = RGBColor(0xFE, 0xFE, 0xFE);

/// Each colour and what it is on a dark page.
const DARK: [(RGBColor, &str); 8] = [
    (INK, "#e6edf3"),
    (MUTED, "#a3adb8"),
    (GRID, "#343b44"),
    (BAND, "#1d2b3f"),
    (HELPS, "#56d48a"),
    (HURTS, "#ff8f87"),
    (EQUAL, "#7db8ff"),
    (PAPER, "#14181d"),
];

/// The rules that exchange the colours.
pub(crate) fn dark_rules() -> String {
    let rule = |(light, dark): &(RGBColor, &str)| {
        let RGBColor(red, green, blue) = light;
        let light = format!("#{red:02X}{green:02X}{blue:02X}");
        format!("svg [fill=\"{light}\"]{{fill:{dark}}}svg [stroke=\"{light}\"]{{stroke:{dark}}}")
    };
    DARK.iter().map(rule).collect()
}
