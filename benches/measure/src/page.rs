//! The results as one HTML file without scripts, which loads nothing.
//!
//! The numbers of a plot are also in a table.

use std::fmt::Write as _;

use kaudit_plot::{Bar, Colour, bars};

use crate::patterns::PatternCost;
use crate::report::{EngineDetail, Measured, Report, Spread, Target};
use crate::table::{bytes, grouped, memory, percent, percentile, remark, short, signed};

const STYLE: &str = include_str!("page.css");

/// Returns the page.
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

#[expect(clippy::cast_precision_loss, reason = "printed with few digits")]
fn head(page: &mut String, report: &Report) {
    let _ = write!(
        page,
        "<h1>The cost of the filter</h1>\n<p>{} records, {}: {}</p>\n<p class=\"faint\">{}; kaudit-filter {}</p>\n",
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
        (format!("{} ns", short(first.spread.ns)), format!("per record, {}", first.name)),
        (grouped(first.records_per_second), "records per second and core".to_owned()),
        (format!("{:.1}", first.times_copy), "times the cost of copying its bytes".to_owned()),
        (format!("{:.3}", first.processors), format!("cores at {} records/s", grouped(report.load))),
    ];
    page.push_str("<ul class=\"figures\">\n");
    for (figure, words) in figures {
        let _ = writeln!(page, "<li><b>{figure}</b><span>{}</span></li>", escape(&words));
    }
    page.push_str("</ul>\n");
}

/// Returns each target of each configuration, with the class of its colour.
fn targets(report: &Report) -> impl Iterator<Item = (&Target, &'static str)> {
    let colours = ["first", "second"];
    let count = report.configurations.first().map_or(0, |measured| measured.through.len());
    (0..count).flat_map(move |target| {
        let pairs = report.configurations.iter().zip(colours);
        pairs.filter_map(move |(measured, colour)| Some((measured.through.get(target)?, colour)))
    })
}

fn costs(page: &mut String, report: &Report) {
    page.push_str("<h2>By target</h2>\n");
    for (measured, colour) in report.configurations.iter().zip(["", "second"]) {
        let _ = writeln!(page, "<p class=\"key {colour}\">{}</p>", escape(&measured.name));
    }
    plot(page, report);
    let mut table = Table::new(
        "CPU time: medians of the rounds, and their quartiles",
        &["", "ns per record", "quartiles", "times copy", "records/s", "MB/s", "cores", "emitted", "memory"],
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
    for (target, colour) in targets(report) {
        let key = if two {
            format!("<span class=\"key {colour}\">{}</span>", target.name)
        } else {
            target.name.to_owned()
        };
        table.row(&[
            key,
            short(target.spread.ns),
            quartiles(target.spread.lower_quartile, target.spread.upper_quartile),
            format!("{:.1}", target.times_copy),
            grouped(target.records_per_second),
            grouped(target.megabytes_per_second),
            format!("{:.3}", target.processors),
            target.left.to_string(),
            memory(target),
        ]);
    }
    table.end(page);
    for reason in &report.absent {
        let _ = writeln!(page, "<p class=\"faint\">Not measured: {}</p>", escape(reason));
    }
}

/// A bar for each target, and a dot for each round.
fn plot(page: &mut String, report: &Report) {
    let bar = |name: &str, spread: &Spread, colour| Bar {
        name: name.to_owned(),
        nanos: spread.ns,
        rounds: spread.rounds.clone(),
        colour,
    };
    let colour = |class| if class == "second" { Colour::Orange } else { Colour::Teal };
    let mut rows = vec![bar("copy", &report.copy, Colour::Grey)];
    rows.extend(targets(report).map(|(target, class)| bar(target.name, &target.spread, colour(class))));
    let label: Vec<_> = rows.iter().map(|bar| format!("{} {} ns", bar.name, short(bar.nanos))).collect();
    let title = "Nanoseconds per record";
    let _ = writeln!(
        page,
        "<figure role=\"img\" aria-label=\"{title}: {}\">\n{}</figure>\n<p class=\"faint\">A bar is a median, a dot a \
         round.</p>",
        label.join(", "),
        bars(title, &rows)
    );
}

fn differences(page: &mut String, report: &Report) {
    let [first, second] = &report.configurations[..] else { return };
    page.push_str("<h2>Difference</h2>\n");
    let caption = format!("{} compared with {}, in interleaved rounds", second.name, first.name);
    let mut table = Table::new(&caption, &["", "difference", "95 % interval", "=verdict"]);
    for one in &report.differences {
        let interval = one
            .interval
            .map_or_else(String::new, |(low, high)| format!("{} to {}", signed(low), signed(high)));
        table.row(&[one.name.to_owned(), signed(one.median), interval, one.conclusion().to_owned()]);
    }
    table.end(page);
}

fn configuration(page: &mut String, measured: &Measured, index: usize) {
    let class = if index == 0 { "key" } else { "key second" };
    let _ = writeln!(page, "<h2><span class=\"{class}\">{}</span></h2>", escape(&measured.name));
    records(page, &measured.details);
    let mut table = Table::new(
        "Integrations: the findings that match each, and their time",
        &["integration", "=type", "claims", "kept", "suppressed", "ns per record", "of the time", "~"],
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

/// Verdicts and percentiles, one column per encoding.
fn records(page: &mut String, details: &[EngineDetail]) {
    let Some(first) = details.first() else { return };
    let heads: Vec<_> = details.iter().map(|detail| format!("ns, {}", detail.name)).collect();
    let mut columns = vec!["verdict", "records"];
    columns.extend(heads.iter().map(String::as_str));
    columns.extend(["of the time", "~"]);
    let mut table = Table::new(
        "Verdicts, of records measured separately; the share of the time refers to the first encoding",
        &columns,
    );
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
    let mut table = Table::new("Percentiles of the records", &columns);
    for detail in details {
        let mut row = vec![detail.name.to_owned()];
        row.extend(detail.percentiles.iter().map(|(_, ns)| short(*ns)));
        table.row(&row);
    }
    table.end(page);
}

fn patterns(page: &mut String, measured: &Measured) {
    let mut table = Table::new(
        "Patterns, the most expensive first: the time of a search for it alone, and its effect on findings of its type. All \
         patterns of one field are searched at once, so the times do not add up",
        &["pattern", "=option", "=integration", "ns alone", "found in", "decides", "of findings", "="],
    );
    for one in &measured.patterns {
        let PatternCost { integration, option, pattern, findings, found, decides, ns } = one;
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
        let _ = writeln!(page, "<p>And {} more, not measured.</p>", measured.patterns_beyond);
    }
}

fn foot(page: &mut String, report: &Report) {
    let _ = writeln!(
        page,
        "<footer><h2>Method</h2>\n<p>{} rounds, in which copying, every target and every configuration were \
         measured in turn, forwards and backwards, after one round that does not count. Each round has a new filter that was \
         warmed up. Records arrive in chunks, each with the records of one second of their own time. Times are CPU times of one \
         thread. Records are measured separately five times, and the minimum counts. The memory of a plugin is the growth of \
         the resident memory of its process.</p></footer>",
        report.copy.rounds.len()
    );
}

/// A table of HTML cells. `=` before a heading aligns its column to the left, `~` is the column of bars.
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
