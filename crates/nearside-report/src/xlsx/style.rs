//! How cells and charts look. Nothing is told by colour alone: editable cells have a frame, lines have
//! their own dashes and markers, areas their own patterns.

use nearside_economics::Unit;
use rust_xlsxwriter::{
    ChartFormat, ChartLine, ChartLineDashType, ChartMarker, ChartMarkerType, ChartPatternFill,
    ChartPatternFillType, ChartSolidFill, Color, Format, FormatAlign, FormatBorder,
};

use super::draft::Look;
use crate::chart::COLOURS;

const INK: Color = Color::RGB(0x1a_1a_1a);
const QUIET: Color = Color::RGB(0x5c_5c_5c);
const LINE: Color = Color::RGB(0xb0_b0_b0);
const HEAD: Color = Color::RGB(0xee_f2_f6);
const EDITABLE: Color = Color::RGB(0xff_f8_dc);
const BLUE: Color = Color::RGB(0x00_3c_8f);
/// Behind numbers that stand out.
const LIT: Color = Color::RGB(0xd5_ea_df);

pub(super) fn format(look: Look) -> Format {
    let plain = Format::new().set_font_color(INK).set_align(FormatAlign::VerticalCenter);
    match look {
        Look::Title => plain.set_bold().set_font_size(16),
        Look::Heading => plain.set_bold().set_font_size(12),
        Look::Head => head(plain),
        Look::HeadOfNumbers => head(plain).set_align(FormatAlign::Right).set_text_wrap(),
        Look::Text => plain,
        Look::Wrapped => plain.set_text_wrap(),
        Look::Quiet => plain.set_font_color(QUIET),
        Look::Unit => plain.set_font_color(QUIET).set_indent(1),
        Look::Number(unit) => number(plain, unit),
        Look::Strong(unit) => number(plain, unit).set_bold(),
        Look::Editable(unit) => number(plain, unit)
            .set_font_color(BLUE)
            .set_background_color(EDITABLE)
            .set_border(FormatBorder::Thin)
            .set_border_color(LINE)
            .set_unlocked(),
        Look::Year => head(plain).set_align(FormatAlign::Right).set_num_format("0"),
    }
}

fn head(plain: Format) -> Format {
    plain
        .set_bold()
        .set_background_color(HEAD)
        .set_border_bottom(FormatBorder::Thin)
        .set_border_bottom_color(LINE)
}

/// Words that stand for a number stand where it would.
fn number(plain: Format, unit: Unit) -> Format {
    plain.set_align(FormatAlign::Right).set_num_format(number_format(unit))
}

/// How a number of a unit is shown.
const fn number_format(unit: Unit) -> &'static str {
    match unit {
        Unit::Money | Unit::MoneyPerMonth => "#,##0.00",
        Unit::MoneyPerHour | Unit::MoneyPerKwh | Unit::MoneyPerGb => "#,##0.0000",
        Unit::Watts | Unit::Gigabytes => "#,##0",
        Unit::KwhPerMonth | Unit::Hours | Unit::HoursPerMonth => "#,##0.0",
        Unit::Kilograms | Unit::GramsPerKwh | Unit::GramsPerHour => "#,##0.0",
        Unit::Minutes | Unit::Months | Unit::Years => "0.0",
        Unit::Share => "0.0%",
        Unit::Factor => "0.0000",
        Unit::PerHour => "0.0000",
        Unit::Count => "General",
    }
}

/// Numbers that stand out.
pub(super) fn lit() -> Format {
    Format::new().set_background_color(LIT).set_bold()
}

/// Colours of several things, which repeat.
fn colour(place: usize) -> Color {
    Color::from(COLOURS[place % COLOURS.len()])
}

pub(super) fn line(place: usize) -> ChartFormat {
    let dashes = [
        ChartLineDashType::Solid,
        ChartLineDashType::Dash,
        ChartLineDashType::RoundDot,
        ChartLineDashType::LongDash,
        ChartLineDashType::DashDot,
    ];
    let dash = dashes[place % dashes.len()];
    let mut line = ChartLine::new();
    line.set_color(colour(place)).set_width(2.25).set_dash_type(dash);
    ChartFormat::new().set_line(&line).clone()
}

pub(super) fn marker(place: usize) -> ChartMarker {
    let kinds = [
        ChartMarkerType::Circle,
        ChartMarkerType::Square,
        ChartMarkerType::Triangle,
        ChartMarkerType::Diamond,
        ChartMarkerType::X,
    ];
    let mut format = ChartFormat::new();
    format.set_solid_fill(ChartSolidFill::new().set_color(colour(place)));
    let kind = kinds[place % kinds.len()];
    ChartMarker::new().set_type(kind).set_size(7).set_format(&mut format).clone()
}

/// The first whole, the others in stripes and dots.
pub(super) fn fill(place: usize) -> ChartFormat {
    let patterns = [
        ChartPatternFillType::DiagonalStripesWideUpwards,
        ChartPatternFillType::DottedGrid,
        ChartPatternFillType::HorizontalStripesDark,
    ];
    let mut format = ChartFormat::new();
    match place.checked_sub(1) {
        None => format.set_solid_fill(ChartSolidFill::new().set_color(colour(place))),
        Some(other) => format.set_pattern_fill(
            ChartPatternFill::new()
                .set_pattern(patterns[other % patterns.len()])
                .set_foreground_color(colour(place + 1))
                .set_background_color(Color::White),
        ),
    };
    format
}
