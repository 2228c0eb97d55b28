//! `check show`: pictures of a trace.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use steadfast_cluster::{STEPS_TOLD_MAX, Told, tell};
use steadfast_guarantees::twins::Variant;
use steadfast_output::exit_code::{BROKEN, INCOMPLETE, IO};
use steadfast_output::{WholeFile, say, warn};
use steadfast_picture::{itf, page, page_of_two, shiviz, svg, text};

use crate::catalog::{PROTOCOL, find_variant};
use crate::failure::Failure;
use crate::read_files::{TraceFile, read_trace};

/// The options of `check show`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ShowOptions {
    /// The trace.
    pub trace: PathBuf,
    /// Where to write the picture; a page goes beside the trace without it, anything else to
    /// standard output.
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub form: Form,
    /// Show the same steps as another variant takes them, or as `right` does, the protocol as it is.
    #[arg(long, value_name = "VARIANT|right", conflicts_with_all = ["svg", "text", "itf", "shiviz"])]
    pub against: Option<String>,
    /// Tell at most this number of steps, the last ones.
    #[arg(long, value_name = "COUNT", default_value_t = STEPS_TOLD_MAX, value_parser = told_max)]
    pub last: usize,
}

/// The form of the picture; a page by default.
#[derive(Args, Clone, Copy, Debug)]
#[group(multiple = false)]
pub(crate) struct Form {
    /// Draw a picture that stands alone.
    #[arg(long)]
    pub svg: bool,
    /// Draw a diagram of 80 columns.
    #[arg(long)]
    pub text: bool,
    /// Export states in the ITF format of Apalache and Quint.
    #[arg(long)]
    pub itf: bool,
    /// Export a log that ShiViz reads with its default parser.
    #[arg(long)]
    pub shiviz: bool,
}

fn told_max(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=10 * STEPS_TOLD_MAX).contains(&count) => Ok(count),
        _ => Err(format!("valid counts are 1 to {}", 10 * STEPS_TOLD_MAX)),
    }
}

/// Draws a trace. What does not fit the code any more is drawn as far as it does.
pub(crate) fn show(options: &ShowOptions) -> Result<ExitCode, Failure> {
    let file = read_trace(&options.trace)?;
    let against =
        options.against.as_deref().map(other_variant).transpose().map_err(Failure::usage)?;
    let told = tell(&file.trace, file.variant, options.last);
    let picture = match against {
        Some(other) => page_of_two(&told.story, &tell(&file.trace, other, options.last).story),
        None => draw(options.form, &told),
    };
    let is_page =
        !(options.form.svg || options.form.text || options.form.itf || options.form.shiviz);
    let place = match &options.out {
        Some(out) if out.as_os_str() == "-" => None,
        Some(out) => Some(out.clone()),
        None => is_page.then(|| page_beside(&options.trace)),
    };
    match place {
        Some(place) => {
            write(&place, &picture)?;
            warn(format_args!("wrote {}", place.display()));
        }
        None => say(picture.trim_end()),
    }
    finish(&file, &told)
}

/// The variant that steps are shown against.
fn other_variant(name: &str) -> Result<Option<&'static Variant>, String> {
    match name {
        PROTOCOL => Ok(None),
        name => find_variant(name).map(Some),
    }
}

fn draw(form: Form, told: &Told) -> String {
    match form {
        Form { svg: true, .. } => svg(&told.story),
        Form { text: true, .. } => text(&told.story),
        Form { itf: true, .. } => itf(&told.story),
        Form { shiviz: true, .. } => shiviz(&told.story),
        _ => page(&told.story),
    }
}

/// Says on standard error what the picture could not hold.
fn finish(file: &TraceFile, told: &Told) -> Result<ExitCode, Failure> {
    if told.story.first > 0 {
        let (first, last) = (told.story.first, told.story.last());
        warn(format_args!(
            "note: steps 1 to {first} of {last} were replayed and are left out (see --last)"
        ));
    }
    if let Some((number, why)) = &told.illegal {
        return Err(Failure {
            message: format!(
                "{}: the trace no longer fits the code; the picture ends before step {number}: {why}",
                file.name
            ),
            code: INCOMPLETE,
        });
    }
    if told.breaks != file.trace.breaks {
        return Err(Failure {
            message: format!(
                "{}: the run breaks {:?}, but the trace says {:?}",
                file.name, told.breaks, file.trace.breaks
            ),
            code: BROKEN,
        });
    }
    Ok(ExitCode::SUCCESS)
}

/// The name of the page of a trace.
pub(crate) fn page_beside(trace: &Path) -> PathBuf {
    trace.with_extension("html")
}

/// Writes a picture as a whole, or not at all.
pub(crate) fn write(place: &Path, picture: &str) -> Result<(), Failure> {
    WholeFile::write(place, |out| out.write_all(picture.as_bytes())).map_err(|error| Failure {
        message: format!("cannot write the picture {}: {error}", place.display()),
        code: IO,
    })
}
