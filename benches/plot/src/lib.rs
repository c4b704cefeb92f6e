//! The plots of the benchmarks' reports, as SVG: nanoseconds as bars, and as a curve over sizes.
//!
//! The background is transparent, and every colour is legible on a light and on a dark page.

#![forbid(unsafe_code)]

use plotters::backend::DrawingBackend;
use plotters::chart::ChartBuilder;
use plotters::coord::ranged1d::{IntoSegmentedCoord, SegmentValue};
use plotters::drawing::{DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Circle, EmptyElement, Rectangle, Text};
use plotters::prelude::{IntoLogRange, LineSeries, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoTextStyle, RGBColor, TextStyle};

/// The colour of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// A baseline, or a target to compare with.
    Grey,
    /// The engine, or the first configuration.
    Teal,
    /// The second configuration.
    Orange,
}

impl Colour {
    fn rgb(self) -> RGBColor {
        match self {
            Self::Grey => GREY,
            Self::Teal => RGBColor(42, 143, 131),
            Self::Orange => RGBColor(199, 107, 45),
        }
    }
}

/// A bar: a median, and the rounds around it.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Its name.
    pub name: String,
    /// Its length, nanoseconds.
    pub nanos: f64,
    /// The rounds, nanoseconds, as dots; none: no dots.
    pub rounds: Vec<f64>,
    /// Its colour.
    pub colour: Colour,
}

const GREY: RGBColor = RGBColor(122, 131, 137);
const TEXT: i32 = 13;
const WIDTH: u32 = 760;

type Drawn = Result<(), DrawingAreaErrorKind<<SVGBackend<'static> as DrawingBackend>::ErrorType>>;

/// Plots bars, the first at the top, each with its nanoseconds.
pub fn bars(title: &str, bars: &[Bar]) -> String {
    let height = 70 + 30 * u32::try_from(bars.len()).unwrap_or(u32::MAX / 60);
    svg((WIDTH, height), |backend| {
        let numbers = bars.iter().flat_map(|bar| bar.rounds.iter().chain([&bar.nanos]));
        let last = bars.len().saturating_sub(1);
        let max = numbers.copied().fold(1.0, f64::max);
        let area = backend.into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .caption(title, text())
            .margin(4)
            .x_label_area_size(24)
            .y_label_area_size(150)
            // Space for the number to the right of the longest bar.
            .build_cartesian_2d(0.0..max * 1.15, (0..last).into_segmented())?;
        let from_top = |index: usize| last - index;
        let name = |segment: &SegmentValue<usize>| match segment {
            SegmentValue::CenterOf(index) if *index < bars.len() => bars[from_top(*index)].name.clone(),
            _ => String::new(),
        };
        chart
            .configure_mesh()
            .disable_mesh()
            .axis_style(GREY)
            .label_style(text())
            .y_labels(bars.len())
            .y_label_formatter(&name)
            .x_label_formatter(&|nanos| format!("{nanos:.0}"))
            .draw()?;
        for (index, bar) in bars.iter().enumerate() {
            let (bottom, middle) = (from_top(index), SegmentValue::CenterOf(from_top(index)));
            let corners = [(0.0, SegmentValue::Exact(bottom)), (bar.nanos, SegmentValue::Exact(bottom + 1))];
            // Paler than the dots on it.
            let mut rectangle = Rectangle::new(corners, bar.colour.rgb().mix(0.5).filled());
            rectangle.set_margin(5, 5, 0, 0);
            chart.draw_series([rectangle])?;
            let dot = |nanos: &f64| Circle::new((*nanos, middle.clone()), 2, bar.colour.rgb().filled());
            chart.draw_series(bar.rounds.iter().map(dot))?;
            let right = bar.rounds.iter().copied().fold(bar.nanos, f64::max);
            let label = text().pos(Pos::new(HPos::Left, VPos::Center));
            let number = Text::new(format!("{} ns", number(bar.nanos)), (8, 0), label);
            chart.draw_series([EmptyElement::at((right, middle)) + number])?;
        }
        area.present()
    })
}

/// Plots nanoseconds over sizes, both on logarithmic scales.
pub fn curve(title: &str, points: &[(f64, f64)]) -> String {
    svg((WIDTH, 340), |backend| {
        let area = backend.into_drawing_area();
        let range = |numbers: &mut dyn Iterator<Item = f64>| {
            let (low, high) =
                numbers.fold((f64::MAX, 1.0_f64), |(low, high), number| (low.min(number), high.max(number)));
            let power = |number: f64| 10.0_f64.powf(number);
            let low = low.min(high).max(f64::MIN_POSITIVE).log10().floor();
            power(low)..power(high.log10().ceil().max(low + 1.0))
        };
        let x = range(&mut points.iter().map(|point| point.0));
        let y = range(&mut points.iter().map(|point| point.1));
        let mut chart = ChartBuilder::on(&area)
            .caption(title, text())
            .margin(16)
            .margin_right(48)
            .x_label_area_size(28)
            .y_label_area_size(60)
            .build_cartesian_2d(x.log_scale(), y.log_scale())?;
        chart
            .configure_mesh()
            .disable_mesh()
            .axis_style(GREY)
            .label_style(text())
            .x_label_formatter(&|size| size.to_string())
            .y_label_formatter(&|nanos| format!("{} ns", number(*nanos)))
            .draw()?;
        let colour = Colour::Teal.rgb();
        chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
        let label = |point: &(f64, f64)| {
            let style = text().pos(Pos::new(HPos::Center, VPos::Bottom));
            EmptyElement::at(*point) + Text::new(format!("{} ns", number(point.1)), (0, -8), style)
        };
        chart.draw_series(points.iter().map(label))?;
        area.present()
    })
}

fn svg(size: (u32, u32), draw: impl FnOnce(SVGBackend<'_>) -> Drawn) -> String {
    let mut text = String::new();
    // A string cannot fail to be written.
    let drawn = draw(SVGBackend::with_string(&mut text, size));
    debug_assert!(drawn.is_ok(), "{drawn:?}");
    text
}

fn text() -> TextStyle<'static> {
    ("sans-serif", TEXT).into_text_style(&(1, 1)).color(&GREY)
}

/// Returns a number with at least two significant digits.
fn number(number: f64) -> String {
    if number < 10.0 { format!("{number:.1}") } else { format!("{number:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_have_names_numbers_and_rounds() {
        let bar = |name: &str, nanos, rounds: &[f64], colour| Bar {
            name: name.to_owned(),
            nanos,
            rounds: rounds.to_vec(),
            colour,
        };
        let rounds = [90.0, 100.0, 130.0];
        let plot = bars(
            "cost <all>",
            &[bar("copy", 5.25, &[], Colour::Grey), bar("engine", 100.0, &rounds, Colour::Teal)],
        );
        for text in ["cost &lt;all&gt;", "copy", "5.2 ns", "engine", "100 ns"] {
            assert!(plot.contains(text), "{text}: {plot}");
        }
        assert_eq!(plot.matches("<circle").count(), 3);
        let widths: Vec<f64> = plot
            .split("<rect ")
            .skip(1)
            .map(|rect| rect.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
            .collect();
        let [copy, engine] = widths[..] else { panic!("{widths:?}: {plot}") };
        assert!((engine / copy - 100.0 / 5.25).abs() < 1.5, "{widths:?}");
    }

    #[test]
    fn a_curve_has_a_dot_and_a_label_per_point() {
        let plot = curve("growth", &[(1.0, 40.0), (10.0, 50.0), (1000.0, 4000.0)]);
        assert_eq!(plot.matches("<circle").count(), 3);
        for text in ["growth", "40 ns", "50 ns", "4000 ns"] {
            assert!(plot.contains(text), "{text}: {plot}");
        }
        assert!(plot.contains("<polyline"));
        assert!(curve("empty", &[]).starts_with("<svg"));
    }
}
