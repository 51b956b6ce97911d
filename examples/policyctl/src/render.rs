//! Remarks as a compiler shows them, and colours.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use meshtls_policy::{MtlsMode, Severity};

use crate::input::Files;
use crate::remark::{Place, Remark};

/// Each remark with its place and the line there, an empty line between two.
pub(crate) fn remarks(remarks: &[Remark], files: &Files) -> String {
    let all: Vec<String> = remarks
        .iter()
        .map(|remark| self::remark(remark, files))
        .collect();
    all.join("\n")
}

/// ```text
/// error[unknown_enum_value]: spec.mtls.mode: unknown value `strict`, did you mean `STRICT`?
///  --> policies.yaml:5:11
///   |
/// 5 |   mtls: { mode: strict }
///   |           ^
///   = instead: ...
/// ```
fn remark(remark: &Remark, files: &Files) -> String {
    let Remark { severity, code, place, object, field, message, instead } = remark;
    let loud = severity_style(*severity);
    let mut out = format!("{loud}{severity}[{code}]{loud:#}{BOLD}: ");
    for part in [object, field].into_iter().filter(|part| !part.is_empty()) {
        push(&mut out, format_args!("{}: ", plain(part)));
    }
    push(&mut out, format_args!("{}{BOLD:#}\n", plain(message)));
    out += &snippet(place, files, loud);
    if !instead.is_empty() {
        let gutter = gutter(place);
        push(&mut out, format_args!("{gutter} {DIM}={DIM:#} instead: {}\n", plain(instead)));
    }
    out
}

/// The place with the line there and a mark below the column. Nothing, if no place is known.
pub(crate) fn snippet(place: &Place, files: &Files, mark: Style) -> String {
    if place.file.is_empty() {
        return String::new();
    }
    let gutter = gutter(place);
    let mut out = format!("{gutter}{DIM}-->{DIM:#} {}\n", plain(&place.to_string()));
    let Some((number, line)) = place
        .line
        .and_then(|line| Some((line, files.line(&place.file, line)?)))
    else {
        return out;
    };
    let column = place.column.map_or(0, |column| column.saturating_sub(1));
    let (line, before) = window(line, usize::try_from(column).unwrap_or(usize::MAX));
    push(&mut out, format_args!("{gutter} {DIM}|{DIM:#}\n"));
    push(&mut out, format_args!("{DIM}{number} |{DIM:#} {line}\n"));
    if place.column.is_some() {
        let indent = " ".repeat(before);
        push(&mut out, format_args!("{gutter} {DIM}|{DIM:#} {indent}{mark}^{mark:#}\n"));
    }
    out
}

/// Room for the line number.
fn gutter(place: &Place) -> String {
    " ".repeat(place.line.map_or(1, |line| line.to_string().len()))
}

/// The part of a line around `column` (from 0) that fits on a screen, and how many characters of it stand before the column.
fn window(line: &str, column: usize) -> (String, usize) {
    let start = if column < WIDTH { 0 } else { column.saturating_sub(WIDTH / 2) };
    let shown: String = line.chars().skip(start).take(WIDTH).collect();
    let before = column.saturating_sub(start).min(shown.chars().count());
    (plain(&shown), before)
}

/// The longest piece of a line that is shown, in characters.
const WIDTH: usize = 120;

/// What stands in a file may not steer the terminal: each control character becomes one that is harmless.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

/// A text of several lines with headings bold and modes in colour.
pub(crate) fn paint(text: &str) -> String {
    text.lines().map(|line| paint_line(line) + "\n").collect()
}

fn paint_line(line: &str) -> String {
    let line = plain(line);
    if line.ends_with(':') && !line.starts_with(' ') {
        return format!("{BOLD}{line}{BOLD:#}");
    }
    let mut out = String::new();
    for piece in line.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let rest = piece.get(word.len()..).unwrap_or_default();
        match MtlsMode::ALL.into_iter().find(|mode| mode.as_str() == word) {
            Some(mode) => {
                let style = mode_style(mode);
                push(&mut out, format_args!("{style}{word}{style:#}{rest}"));
            }
            None => out.push_str(piece),
        }
    }
    out
}

fn mode_style(mode: MtlsMode) -> Style {
    match mode {
        MtlsMode::Strict => AnsiColor::Green.on_default().bold(),
        MtlsMode::Permissive => AnsiColor::Yellow.on_default().bold(),
        MtlsMode::Disable => AnsiColor::Red.on_default().bold(),
    }
}

pub(crate) fn severity_style(severity: Severity) -> Style {
    match severity {
        Severity::Error => AnsiColor::Red.on_default().bold(),
        Severity::Warning => AnsiColor::Yellow.on_default().bold(),
        Severity::Note => AnsiColor::Cyan.on_default().bold(),
    }
}

/// For what is as it should be.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Writing to a `String` cannot fail.
fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).unwrap_or_default();
}
