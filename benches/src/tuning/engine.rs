//! The copy of the engine: made, compiled and run.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::TuningError;
use super::change::Figures;
use super::constant::{Factor, Key};
use super::sources::Sources;

/// A copy that can be run.
pub(super) struct Engine {
    package: PathBuf,
    corpus: PathBuf,
    program: PathBuf,
    numbers: BTreeMap<Key, usize>,
}

/// A run that takes longer has a value that does not work.
const RUN_MAX: Duration = Duration::from_secs(120);

impl Engine {
    /// Makes a copy below `store` in which some constants can be changed.
    pub(super) fn new(
        root: &Path,
        store: &Path,
        sources: &Sources,
        changeable: &BTreeSet<Key>,
    ) -> Result<Engine, TuningError> {
        let package = store.join("engine");
        fs::create_dir_all(&package)?;
        fs::write(package.join("Cargo.toml"), manifest(root)?)?;
        if !package.join("Cargo.lock").exists() {
            fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock"))?;
        }
        let numbers = sources.write(&package.join("src"), changeable, None)?;
        let corpus = store.join("corpus");
        let program = store.join("measured");
        let engine = Engine { package, corpus, program, numbers };
        engine.build(&engine.program)?;
        Ok(engine)
    }

    /// The figures of the engine as it is, in these phases: the mean of two runs at once, as two runs with other
    /// values are at once.
    pub(super) fn run_unchanged(&self, phases: &[&str]) -> Result<Figures, TuningError> {
        let run = Run { program: self.program.clone(), number: 0, factor: Factor::Half };
        let [first, second] = self.run_both([Some(run.clone()), Some(run)], phases)?;
        let failed = || TuningError::Run(self.program.display().to_string());
        let (mut first, second) = (first.ok_or_else(failed)?, second.ok_or_else(failed)?);
        for (key, figures) in &mut first {
            figures.1 = (figures.1 + second.get(key).map_or(figures.1, |it| it.1)) / 2.0;
        }
        Ok(first)
    }

    /// The figures with half and with the double of a constant, or `None` where the engine fails with it.
    pub(super) fn run(
        &self,
        sources: &Sources,
        key: &Key,
        phases: &[&str],
    ) -> Result<[Option<Figures>; 2], TuningError> {
        let number = self.numbers.get(key).copied();
        let run = |factor| match number {
            Some(number) => Ok(Some(Run { program: self.program.clone(), number, factor })),
            None => self.compiled(sources, key, factor),
        };
        self.run_both([run(Factor::Half)?, run(Factor::Double)?], phases)
    }

    /// Compiles the engine with another value of a constant, unless it does not compile.
    fn compiled(
        &self,
        sources: &Sources,
        key: &Key,
        factor: Factor,
    ) -> Result<Option<Run>, TuningError> {
        let changeable = self.numbers.keys().cloned().collect();
        let source = self.package.join("src");
        sources.write(&source, &changeable, Some((key, factor)))?;
        let program = self.program.with_extension(factor.name());
        let built = self.build(&program);
        sources.write(&source, &changeable, None)?;
        match built {
            Ok(()) => Ok(Some(Run { program, number: 0, factor })),
            // An assertion of the sources, such as one on the length of an array.
            Err(TuningError::Build(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn build(&self, program: &Path) -> Result<(), TuningError> {
        let target = self.program.with_file_name("build");
        let source = self.package.join("src");
        for (name, text) in
            [("tuned.rs", include_str!("tuned.rs")), ("measured.rs", include_str!("measured.rs"))]
        {
            let file = source.join(name);
            if fs::read_to_string(&file).ok().as_deref() != Some(text) {
                fs::write(file, text)?;
            }
        }
        let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--release", "--quiet", "--message-format=short", "--manifest-path"])
            .arg(self.package.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            return Err(TuningError::Build(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        fs::copy(target.join("release/measured"), program)?;
        Ok(())
    }

    /// The figures of two runs at once.
    fn run_both(
        &self,
        runs: [Option<Run>; 2],
        phases: &[&str],
    ) -> Result<[Option<Figures>; 2], TuningError> {
        let [half, double] = &runs;
        let figures = |run: &Option<Run>| match run {
            Some(run) => self.figures(run, phases),
            None => Ok(None),
        };
        std::thread::scope(|scope| {
            let half = scope.spawn(|| figures(half));
            let double = figures(double)?;
            let half = half.join().unwrap_or(Ok(None))?;
            Ok([half, double])
        })
    }

    fn figures(&self, run: &Run, phases: &[&str]) -> Result<Option<Figures>, TuningError> {
        let mut child = Command::new(&run.program)
            .arg(&self.corpus)
            .args([&run.number.to_string(), run.factor.name(), &phases.join(",")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let begin = Instant::now();
        let status = loop {
            match child.try_wait()? {
                Some(status) => break Some(status),
                None if begin.elapsed() > RUN_MAX => {
                    child.kill()?;
                    child.wait()?;
                    break None;
                }
                None => sleep(Duration::from_millis(20)),
            }
        };
        if !status.is_some_and(|it| it.success()) {
            return Ok(None);
        }
        let mut text = String::new();
        if let Some(mut out) = child.stdout.take() {
            out.read_to_string(&mut text)?;
        }
        Ok(Some(parse(&text)))
    }
}

/// A program with one constant changed.
#[derive(Clone)]
struct Run {
    program: PathBuf,
    number: usize,
    factor: Factor,
}

/// The lines that a run prints, which are far fewer than a pipe holds.
fn parse(text: &str) -> Figures {
    let mut figures = Figures::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if let [pair, phase, bytes, micros] = words[..]
            && let (Ok(bytes), Ok(micros)) = (bytes.parse(), micros.parse())
        {
            figures.insert((pair.to_owned(), phase.to_owned()), (bytes, micros));
        }
    }
    figures
}

/// The manifest of the copy, with the versions of the workspace.
fn manifest(root: &Path) -> Result<String, TuningError> {
    let file = root.join("Cargo.toml");
    let workspace = fs::read_to_string(&file)?;
    let own = fs::read_to_string(root.join("impl/delta/Cargo.toml"))?;
    let own = own.split("[dependencies]").nth(1).unwrap_or_default();
    let names = own.lines().skip(1).take_while(|it| !it.is_empty());
    let names = names.filter_map(|it| it.strip_suffix(".workspace = true")).chain(["nix"]);
    let mut text =
        "[package]\nname = \"steadfast-delta\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
                    [workspace]\n[profile.release]\noverflow-checks = true\n\
                    [[bin]]\nname = \"measured\"\npath = \"src/measured.rs\"\n[dependencies]\n"
            .to_owned();
    for name in names {
        let line = workspace.lines().find(|it| it.starts_with(&format!("{name} = ")));
        let line =
            line.ok_or_else(|| TuningError::Source(file.clone(), "a dependency has no version"))?;
        let path = format!("path = \"{}/", root.display());
        let _ = writeln!(text, "{}", line.replace("path = \"", &path));
    }
    Ok(text)
}
