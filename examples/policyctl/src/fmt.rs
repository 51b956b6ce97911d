//! `policyctl fmt`: policies in one canonical form.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use meshtls_policy::{Origin, ParseOptions, Resources, comments};
use serde::Serialize;

use crate::answer::{Answer, Failure};
use crate::input::Files;
use crate::remark::{Place, Remark};

/// Print policies in canonical form: YAML, one order of fields, the newest apiVersion
///
/// Objects keep their order. Nothing is lost: a file with an object of a kind that is not read here is refused, and what
/// printing would lose (comments, fields that only a cluster writes) is not overwritten unless you say so.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "the flags of a command line")]
pub(crate) struct Fmt {
    /// A file, or a directory.
    path: PathBuf,
    /// Write nothing; the exit code is 1 if a file has another form. Comments are not looked at.
    #[arg(long, conflicts_with = "write")]
    check: bool,
    /// Write the form into the files. Either all of them or none.
    #[arg(long)]
    write: bool,
    /// Let --write drop comments.
    #[arg(long, requires = "write")]
    discard_comments: bool,
    /// Let --write drop `status` and the metadata that only a cluster writes, such as `uid`.
    #[arg(long, requires = "write")]
    discard_fields: bool,
    /// The namespace of objects that name none: it is written out [default: such objects are refused].
    #[arg(long, value_name = "NS")]
    default_namespace: Option<String>,
}

/// A file in canonical form.
#[derive(Serialize)]
struct Formatted {
    file: String,
    /// Whether it had that form before.
    canonical: bool,
    yaml: String,
    /// What is not printed.
    #[serde(skip)]
    lost: Vec<Remark>,
}

#[derive(Serialize)]
struct Report {
    files: Vec<Formatted>,
}

impl Fmt {
    pub(crate) fn run(&self, files: &mut Files) -> Result<Answer, Failure> {
        let mut options = ParseOptions::default().with_field_places();
        if let Some(namespace) = &self.default_namespace {
            options = options.with_default_namespace(namespace);
        }
        let mut formatted = Vec::new();
        for file in files.read(&self.path)? {
            let resources = files.parse(&file, &options)?;
            formatted.push(Formatted::new(file, files, &resources)?);
        }
        let others: Vec<&Formatted> = formatted.iter().filter(|file| !file.canonical).collect();
        let (text, remarks, good) = if self.check {
            let remarks = others
                .iter()
                .map(|file| file.first_difference(files))
                .collect();
            (String::new(), remarks, others.is_empty())
        } else if self.write {
            (self.write(&others)?, Vec::new(), true)
        } else {
            let yaml: Vec<&str> = formatted
                .iter()
                .map(|file| file.yaml.as_str())
                .filter(|yaml| !yaml.is_empty())
                .collect();
            let lost = formatted
                .iter()
                .flat_map(|file| file.lost.clone())
                .collect();
            (yaml.join("---\n"), lost, true)
        };
        let answer = Answer::new(text, &Report { files: formatted })?;
        Ok(answer.with_remarks(remarks).good_if(good))
    }

    /// Writes all files, after every reason not to has been looked at.
    fn write(&self, files: &[&Formatted]) -> Result<String, Failure> {
        let refusals: Vec<Remark> = files
            .iter()
            .flat_map(|file| file.lost.iter().cloned().chain(file.is_json()))
            .filter(|lost| {
                let allowed = match lost.code.as_str() {
                    COMMENT => self.discard_comments,
                    FIELD => self.discard_fields,
                    _ => false,
                };
                !allowed
            })
            .map(Remark::into_error)
            .collect();
        if !refusals.is_empty() {
            return Err(refusals.into());
        }
        let mut text = String::new();
        for file in files {
            replace(Path::new(&file.file), &file.yaml).map_err(|error| {
                Remark::error("unwritable", format!("cannot write {}: {error}", file.file))
            })?;
            text += &format!("{}\n", file.file);
        }
        Ok(text)
    }
}

impl Formatted {
    fn new(file: String, files: &Files, resources: &Resources) -> Result<Self, Failure> {
        let dropped: Vec<Remark> = resources
            .skipped()
            .iter()
            .map(|skipped| {
                Remark::from(skipped)
                    .into_error()
                    .instead("keep it in a file of its own: printing would drop it")
            })
            .collect();
        if !dropped.is_empty() {
            return Err(dropped.into());
        }
        let text = files.text(&file);
        let comments = comments(text);
        let yaml = print(resources);
        // A file without objects has no form.
        let canonical = yaml.is_empty() || without(text, &comments) == yaml;
        let again = read_back(&file, resources, &yaml)?;
        let mut lost = lost_fields(resources, &again);
        lost.extend(comments.first().map(|at| {
            Remark::warning(
                COMMENT,
                match comments.len() {
                    1 => "a comment is not printed".to_owned(),
                    more => format!("{more} comments are not printed; this is the first"),
                },
            )
            .at(Place::new(&file, Some(*at)))
            .instead("fmt --check leaves comments alone; fmt --write --discard-comments drops them")
        }));
        Ok(Self { file, canonical, yaml, lost })
    }

    /// The first line that has another form.
    fn first_difference(&self, files: &Files) -> Remark {
        let text = files.text(&self.file);
        let lines = without_lines(text, &comments(text));
        let wanted: Vec<&str> = self.yaml.lines().collect();
        let same = lines
            .iter()
            .zip(&wanted)
            .take_while(|((_, line), want)| line == *want)
            .count();
        let (number, line) = lines
            .get(same)
            .or_else(|| lines.last())
            .map_or((1, ""), |(number, line)| (*number, line.as_str()));
        let column = (1..)
            .zip(line.chars())
            .find(|(_, c)| *c != ' ')
            .map_or(1, |(column, _)| column);
        let instead = wanted
            .get(same)
            .map_or_else(|| "no more lines".to_owned(), |line| format!("`{line}`"));
        Remark::error(
            FORM,
            format!("{} is not in canonical form; the first difference is here", self.file),
        )
        .at(Place::new(&self.file, Some((number, column))))
        .instead(instead)
    }

    fn is_json(&self) -> Option<Remark> {
        let json = Path::new(&self.file)
            .extension()
            .is_some_and(|extension| extension == "json");
        let message = format!("{} is JSON by its name, the form is YAML", self.file);
        json.then(|| Remark::error("json_file", message))
    }
}

const COMMENT: &str = "comment";
const FIELD: &str = "unprinted_field";
const FORM: &str = "form";

/// The objects of a file in the order of its text.
fn print(resources: &Resources) -> String {
    let place = |kind: &str, name: &_| {
        resources
            .origin(kind, name)
            .and_then(|origin| origin.place_of(""))
    };
    let mut documents: Vec<_> = resources.printed().collect();
    documents.sort_by_key(|document| place(document.kind, document.name));
    let yaml: Vec<String> = documents
        .into_iter()
        .map(|document| document.yaml)
        .collect();
    yaml.join("---\n")
}

/// The text without its comments and the lines that held nothing else.
fn without(text: &str, comments: &[(u64, u64)]) -> String {
    without_lines(text, comments)
        .into_iter()
        .map(|(_, line)| line + "\n")
        .collect()
}

/// The same line by line, with the numbers of the lines.
fn without_lines(text: &str, comments: &[(u64, u64)]) -> Vec<(u64, String)> {
    (1..)
        .zip(text.lines())
        .filter_map(|(number, line)| {
            let Some((_, column)) = comments.iter().find(|(at, _)| *at == number) else {
                return Some((number, line.to_owned()));
            };
            let kept = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
            let kept: String = line.chars().take(kept).collect();
            let kept = kept.trim_end();
            (!kept.is_empty()).then(|| (number, kept.to_owned()))
        })
        .collect()
}

/// Reads the form back: should it ever not hold the same objects, nobody gets it.
fn read_back(file: &str, resources: &Resources, yaml: &str) -> Result<Resources, Failure> {
    let options = ParseOptions::default().with_field_places();
    let again = Resources::parse_with(file, yaml, &options).map_err(|error| {
        Remark::error("form_unreadable", format!("the form of {file}: {error}"))
    })?;
    if again.len() == resources.len() && print(&again) == yaml {
        return Ok(again);
    }
    Err(Remark::error("form_differs", format!("{file} has objects that printing would change"))
        .into())
}

/// Fields that reading leaves alone (`status`, and `metadata` that policies do not know) and printing would lose.
fn lost_fields(resources: &Resources, again: &Resources) -> Vec<Remark> {
    let mut lost = Vec::new();
    for document in resources.printed() {
        let origin = |of: &Resources| of.origin(document.kind, document.name).cloned();
        let (Some(before), Some(after)) = (origin(resources), origin(again)) else { continue };
        let missing: Vec<&str> = unread(&before)
            .filter(|field| !unread(&after).any(|kept| kept == *field))
            .collect();
        let Some(first) = missing.first() else { continue };
        let remark = Remark::warning(FIELD, format!("not printed: {}", missing.join(", ")))
            .at(Place::of(&before, first))
            .instead("fmt --write --discard-fields drops what only a cluster writes");
        lost.push(Remark { object: format!("{} {}", document.kind, document.name), ..remark });
    }
    lost
}

/// `status`, and the fields right below `metadata`.
fn unread(origin: &Origin) -> impl Iterator<Item = &str> {
    origin.fields().map(|(field, _)| field).filter(|field| {
        *field == "status"
            || field
                .strip_prefix("metadata.")
                .is_some_and(|rest| !rest.contains(['.', '[']))
    })
}

/// Replaces a file as a whole: at no time is half of it there.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let file = fs::canonicalize(file)?;
    let mut name = file.clone().into_os_string();
    name.push(".policyctl");
    let beside = PathBuf::from(name);
    fs::write(&beside, text)?;
    fs::set_permissions(&beside, fs::metadata(&file)?.permissions())?;
    fs::rename(&beside, &file)
}

const EXAMPLES: &str = "\
Examples:
  Print the canonical form:
    policyctl fmt policies/web.yaml

  In CI: does each file have it?
    policyctl fmt policies/ --check

  Write it, comments or not:
    policyctl fmt policies/ --write --discard-comments";
