//! Plots as SVG, with a transparent background, for light and dark themes.

use std::fmt::Write as _;

const STYLE: &str = "<style>text{fill:#1c1f21}.bar,.line{fill:#0b6e63}.other{fill:#8b9499}.line{fill:none;stroke:#0b6e63;\
     stroke-width:2}.axis{stroke:#8b9499;fill:none}.small{font-size:11px}\
     @media(prefers-color-scheme:dark){text{fill:#e6e8e9}.bar{fill:#4bb8a9}.line{stroke:#4bb8a9}}</style>";

fn svg(width: f64, height: f64, title: &str, inside: &str) -> String {
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' font-family='sans-serif' \
         font-size='13' role='img' aria-label='{title}'>{STYLE}\n{inside}</svg>\n"
    )
}

/// Returns a bar for each name; the engine's are highlighted.
#[expect(clippy::cast_precision_loss, reason = "coordinates on a plot")]
pub fn bars(title: &str, bars: &[(String, f64)]) -> String {
    const LEFT: f64 = 150.0;
    const ROW: f64 = 26.0;
    let most = bars.iter().map(|(_, number)| *number).fold(1.0, f64::max);
    let mut inside = format!("<text x='0' y='16'>{title}</text>\n");
    for (index, (name, number)) in bars.iter().enumerate() {
        let top = 28.0 + index as f64 * ROW;
        let length = number / most * 480.0;
        let class = if name.contains("engine") { "bar" } else { "other" };
        let _ = writeln!(
            inside,
            "<text x='0' y='{:.0}'>{name}</text><rect class='{class}' x='{LEFT}' y='{top:.0}' width='{length:.1}' \
             height='18' rx='2'/><text class='small' x='{:.1}' y='{:.0}'>{number:.0} ns</text>",
            top + 14.0,
            LEFT + length + 8.0,
            top + 14.0
        );
    }
    svg(720.0, 34.0 + bars.len() as f64 * ROW, title, &inside)
}

/// Returns a curve over sizes that are powers of ten; both axes are logarithmic.
pub fn curve(title: &str, points: &[(f64, f64)]) -> String {
    const WIDTH: f64 = 640.0;
    const HEIGHT: f64 = 300.0;
    const EDGE: f64 = 52.0;
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.log10(), y.log10())).collect();
    let range = |of: fn(&(f64, f64)) -> f64| {
        let (low, high) =
            logs.iter().map(of).fold((f64::MAX, f64::MIN), |(low, high), at| (low.min(at), high.max(at)));
        (low.floor(), high.ceil().max(low.floor() + 1.0))
    };
    let (left, right) = range(|point| point.0);
    let (bottom, top) = range(|point| point.1);
    let at_x = |log: f64| EDGE + (log - left) / (right - left) * (WIDTH - 2.0 * EDGE);
    let at_y = |log: f64| HEIGHT - EDGE - (log - bottom) / (top - bottom) * (HEIGHT - 2.0 * EDGE);
    let (mut line, mut dots) = (String::new(), String::new());
    for ((size, nanos), (x, y)) in points.iter().zip(&logs) {
        let (x, y) = (at_x(*x), at_y(*y));
        let _ = write!(line, "{x:.1},{y:.1} ");
        let _ = writeln!(
            dots,
            "<circle class='bar' cx='{x:.1}' cy='{y:.1}' r='3.5'/><text class='small' text-anchor='middle' x='{x:.1}' \
             y='{:.1}'>{nanos:.0} ns</text><text class='small' text-anchor='middle' x='{x:.1}' y='{:.1}'>{size}</text>",
            y - 10.0,
            HEIGHT - EDGE + 18.0
        );
    }
    let inside = format!(
        "<text x='{EDGE}' y='20'>{title}</text>\n<path class='axis' d='M{EDGE} {EDGE}V{:.1}H{:.1}'/>\n\
         <polyline class='line' points='{}'/>\n{dots}",
        HEIGHT - EDGE,
        WIDTH - EDGE,
        line.trim_end()
    );
    svg(WIDTH, HEIGHT, title, &inside)
}
