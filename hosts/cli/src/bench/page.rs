//! The report as one file of HTML: no scripts, nothing loaded, for light and dark. Every plot's numbers stand in a table
//! as well.

use std::fmt::Write as _;

use super::clauses::Clause;
use super::report::{
    Detail, Measured, Report, Through, bytes, grouped, percent, percentile, remark, short, signed,
};

const STYLE: &str = include_str!("page.css");

/// The page.
pub fn page(report: &Report) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>kaudit-filter bench</title>\n\
         <style>\n{STYLE}</style>\n<main>\n"
    );
    head(&mut page, report);
    costs(&mut page, report);
    differences(&mut page, report);
    for (index, measured) in report.configurations.iter().enumerate() {
        configuration(&mut page, measured, index);
    }
    foot(&mut page, report);
    page.push_str("</main>\n</html>\n");
    page
}

#[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
fn head(page: &mut String, report: &Report) {
    let _ = write!(
        page,
        "<h1>What the filter costs</h1>\n<p>{} records, {}: {}</p>\n<p class=\"faint\">{}; kaudit-filter {}</p>\n",
        grouped(report.records as f64),
        bytes(report.bytes),
        escape(&report.source),
        escape(&report.machine),
        report.version
    );
    if report.malformed > 0 {
        let _ = writeln!(page, "<p>{} of them are not JSON objects.</p>", report.malformed);
    }
    let Some(first) = report.configurations.first().and_then(|measured| measured.through.first()) else {
        return;
    };
    let figures = [
        (format!("{} ns", short(first.spread.ns)), format!("a record, {}", first.name)),
        (grouped(first.records_per_second), "records a second on one processor".to_owned()),
        (format!("{:.1}", first.times_copy), "times what copying its bytes costs".to_owned()),
        (format!("{:.3}", first.processors), format!("processors at {} records/s", grouped(report.load))),
    ];
    page.push_str("<ul class=\"figures\">\n");
    for (figure, words) in figures {
        let _ = writeln!(page, "<li><b>{figure}</b><span>{}</span></li>", escape(&words));
    }
    page.push_str("</ul>\n");
}

/// Each door of each configuration, with the class of its colour.
fn doors(report: &Report) -> impl Iterator<Item = (&Through, &'static str)> {
    let colours = ["first", "second"];
    let doors = report.configurations.first().map_or(0, |measured| measured.through.len());
    (0..doors).flat_map(move |door| {
        let pairs = report.configurations.iter().zip(colours);
        pairs.filter_map(move |(measured, colour)| Some((measured.through.get(door)?, colour)))
    })
}

fn costs(page: &mut String, report: &Report) {
    page.push_str("<h2>By door</h2>\n");
    for (measured, colour) in report.configurations.iter().zip(["", "second"]) {
        let _ = writeln!(page, "<p class=\"key {colour}\">{}</p>", escape(&measured.name));
    }
    plot(page, report);
    let mut table = Table::new(
        "Medians of the rounds, and the quartiles around them; one processor at work",
        &["", "ns a record", "quartiles", "times copy", "records/s", "MB/s", "processors", "left", "memory"],
    );
    let copy = &report.copy;
    let quartiles = |low: f64, high: f64| format!("{}–{}", short(low), short(high));
    let mut row = vec![
        "copying the bytes".to_owned(),
        short(copy.ns),
        quartiles(copy.lower_quartile, copy.upper_quartile),
    ];
    row.extend(["1.0", "", "", "", "", ""].map(str::to_owned));
    table.row(&row);
    let two = report.configurations.len() > 1;
    for (through, colour) in doors(report) {
        let key = if two {
            format!("<span class=\"key {colour}\">{}</span>", through.name)
        } else {
            through.name.to_owned()
        };
        table.row(&[
            key,
            short(through.spread.ns),
            quartiles(through.spread.lower_quartile, through.spread.upper_quartile),
            format!("{:.1}", through.times_copy),
            grouped(through.records_per_second),
            grouped(through.megabytes_per_second),
            format!("{:.3}", through.processors),
            through.left.to_string(),
            through.memory(),
        ]);
    }
    table.end(page);
    for reason in &report.absent {
        let _ = writeln!(page, "<p class=\"faint\">Not measured: {}</p>", escape(reason));
    }
}

/// A bar for each door, and a dot for each round.
#[expect(clippy::cast_precision_loss, reason = "places on a plot")]
fn plot(page: &mut String, report: &Report) {
    const LEFT: f64 = 170.0;
    const RIGHT: f64 = 900.0;
    const ROW: f64 = 30.0;
    let rows: Vec<_> = std::iter::once(("copy", &report.copy, "faint"))
        .chain(doors(report).map(|(through, colour)| (through.name, &through.spread, colour)))
        .collect();
    let most = rows.iter().flat_map(|(_, spread, _)| &spread.rounds).copied().fold(1.0, f64::max);
    let at = |ns: f64| LEFT + ns / most * (RIGHT - LEFT - 90.0);
    let height = rows.len() as f64 * ROW + 8.0;
    let said: Vec<_> =
        rows.iter().map(|(name, spread, _)| format!("{name} {} ns", short(spread.ns))).collect();
    let _ = writeln!(
        page,
        "<svg viewBox=\"0 0 {RIGHT} {height}\" role=\"img\" aria-label=\"Nanoseconds a record: {}\">",
        said.join(", ")
    );
    for (index, (name, spread, class)) in rows.iter().enumerate() {
        let top = index as f64 * ROW + 6.0;
        let end = at(spread.ns);
        let _ = writeln!(
            page,
            "<text x=\"0\" y=\"{:.0}\">{name}</text><rect class=\"{class}\" x=\"{LEFT}\" y=\"{top:.0}\" width=\"{:.1}\" \
             height=\"18\" rx=\"2\"/>",
            top + 14.0,
            (end - LEFT).max(1.0)
        );
        for ns in &spread.rounds {
            let _ =
                write!(page, "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.0}\" r=\"2\"/>", at(*ns), top + 9.0);
        }
        let right = spread.rounds.iter().copied().fold(spread.ns, f64::max);
        let _ = writeln!(
            page,
            "<text x=\"{:.1}\" y=\"{:.0}\">{} ns</text>",
            at(right) + 8.0,
            top + 14.0,
            short(spread.ns)
        );
    }
    page.push_str("</svg>\n<p class=\"faint\">A bar is a median, a dot a round.</p>\n");
}

fn differences(page: &mut String, report: &Report) {
    let [first, second] = &report.configurations[..] else { return };
    page.push_str("<h2>The difference</h2>\n");
    let caption =
        format!("How much more {} costs than {}, in rounds that took turns", second.name, first.name);
    let mut table = Table::new(&caption, &["", "difference", "95 % interval", "=verdict"]);
    for one in &report.differences {
        let interval = one
            .interval
            .map_or_else(String::new, |(low, high)| format!("{} to {}", signed(low), signed(high)));
        table.row(&[one.name.to_owned(), signed(one.median), interval, one.words().to_owned()]);
    }
    table.end(page);
}

fn configuration(page: &mut String, measured: &Measured, index: usize) {
    let class = if index == 0 { "key" } else { "key second" };
    let _ = writeln!(page, "<h2><span class=\"{class}\">{}</span></h2>", escape(&measured.name));
    records(page, &measured.details);
    let mut table = Table::new(
        "Integrations: what each claims, and the time of what it claims",
        &["integration", "=type", "claims", "kept", "suppressed", "ns a record", "of the time", "~"],
    );
    for one in &measured.integrations {
        table.row(&[
            escape(&one.name),
            one.r#type.to_owned(),
            one.claims.to_string(),
            one.kept.to_string(),
            one.suppressed.to_string(),
            one.ns.map_or_else(|| "–".to_owned(), short),
            percent(one.share),
            bar(one.share),
        ]);
    }
    table.end(page);
    if !measured.patterns.is_empty() {
        patterns(page, measured);
    }
}

/// Verdicts and percentiles, the encodings beside each other.
fn records(page: &mut String, details: &[Detail]) {
    let Some(first) = details.first() else { return };
    let heads: Vec<_> = details.iter().map(|detail| format!("ns, {}", detail.name)).collect();
    let mut columns = vec!["verdict", "records"];
    columns.extend(heads.iter().map(String::as_str));
    columns.extend(["of the time", "~"]);
    let mut table =
        Table::new("Verdicts, of records one by one; the time is that of the first encoding", &columns);
    for one in &first.verdicts {
        let mut row = vec![one.verdict.clone(), one.records.to_string()];
        row.extend(details.iter().map(|detail| {
            let same = detail.verdicts.iter().find(|other| other.verdict == one.verdict);
            same.map_or_else(|| "–".to_owned(), |same| short(same.ns))
        }));
        row.extend([percent(one.share), bar(one.share)]);
        table.row(&row);
    }
    table.end(page);

    let heads: Vec<_> = first.percentiles.iter().map(|(share, _)| percentile(*share)).collect();
    let mut columns = vec!["ns"];
    columns.extend(heads.iter().map(String::as_str));
    let mut table = Table::new("Percentiles: so many of the records take no more", &columns);
    for detail in details {
        let mut row = vec![detail.name.to_owned()];
        row.extend(detail.percentiles.iter().map(|(_, ns)| short(*ns)));
        table.row(&row);
    }
    table.end(page);
}

fn patterns(page: &mut String, measured: &Measured) {
    let mut table = Table::new(
        "Patterns, the dearest first: a search for it alone, and what it does on findings of its type. All patterns over \
         one field are searched at once, so the times do not add up",
        &["pattern", "=option", "=integration", "ns alone", "found in", "decides", "of findings", "="],
    );
    for one in &measured.patterns {
        let Clause { integration, option, pattern, findings, found, decides, ns } = one;
        let remark = remark(one);
        table.row(&[
            format!("<code>{}</code>", escape(pattern)),
            (*option).to_owned(),
            escape(integration),
            short(*ns),
            found.to_string(),
            decides.to_string(),
            findings.to_string(),
            if remark.is_empty() { String::new() } else { format!("<span class=\"remark\">{remark}</span>") },
        ]);
    }
    table.end(page);
    if measured.patterns_beyond > 0 {
        let _ = writeln!(page, "<p>And {} more, not looked at.</p>", measured.patterns_beyond);
    }
}

fn foot(page: &mut String, report: &Report) {
    let _ = writeln!(
        page,
        "<footer><h2>How it was measured</h2>\n<p>{} rounds, in which copying, every door and every configuration took \
         turns, forwards and backwards; one more came first and does not count. Each round has a new filter that was \
         warmed up. Records arrive in chunks, those of one second of their own time together. Times are those of one \
         processor at work. Single records are measured five times, and the least counts. A plugin's memory is the \
         growth of the resident memory of its process.</p></footer>",
        report.copy.rounds.len()
    );
}

/// A table under way; its cells are HTML. A heading that begins with `=` stands to the left with its column, `~` is the
/// column of bars.
struct Table<'a> {
    text: String,
    heads: Vec<&'a str>,
}

impl<'a> Table<'a> {
    fn new(caption: &str, heads: &[&'a str]) -> Self {
        let mut text =
            format!("<div class=\"wide\"><table>\n<caption>{}</caption>\n<thead><tr>", escape(caption));
        for head in heads {
            let _ = match head.split_at_checked(1) {
                Some(("=", word)) => write!(text, "<th scope=\"col\" class=\"text\">{word}</th>"),
                Some(("~", _)) => write!(text, "<td aria-hidden=\"true\"></td>"),
                _ => write!(text, "<th scope=\"col\">{head}</th>"),
            };
        }
        text.push_str("</tr></thead>\n<tbody>\n");
        Self { text, heads: heads.to_vec() }
    }

    fn row(&mut self, cells: &[String]) {
        self.text.push_str("<tr>");
        for (index, (cell, head)) in cells.iter().zip(&self.heads).enumerate() {
            let _ = match head.chars().next() {
                _ if index == 0 => write!(self.text, "<th scope=\"row\">{cell}</th>"),
                Some('=') => write!(self.text, "<td class=\"text\">{cell}</td>"),
                Some('~') => write!(self.text, "<td class=\"share\" aria-hidden=\"true\">{cell}</td>"),
                _ => write!(self.text, "<td>{cell}</td>"),
            };
        }
        self.text.push_str("</tr>\n");
    }

    fn end(self, page: &mut String) {
        page.push_str(&self.text);
        page.push_str("</tbody></table></div>\n");
    }
}

fn bar(share: f64) -> String {
    format!("<i style=\"width:{:.1}%\"></i>", share.clamp(0.0, 1.0) * 100.0)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
