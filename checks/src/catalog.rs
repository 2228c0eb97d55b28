//! The variants, twins and scopes that a program knows: the shipped ones and those of its author.

use std::collections::HashSet;
use std::sync::OnceLock;

use steadfast_cluster::{SHIPPED, shipped};
use steadfast_guarantees::twins::{TWINS, Twin, Variant};
use steadfast_guarantees::witnesses::witness;
use steadfast_guarantees::{OwnGuarantee, add_guarantees, guarantees};
use steadfast_trace::{Scope, ScopeFile};

use crate::program_name::program_name;

/// What the author of a program adds to the shipped variants, twins and scopes.
#[derive(Default)]
pub(crate) struct Own {
    pub guarantees: Vec<&'static OwnGuarantee>,
    pub variants: Vec<&'static Variant>,
    pub twins: Vec<&'static Twin>,
    pub scopes: Vec<NamedScope>,
}

/// A scope that has a name, or that a file holds.
#[derive(Clone)]
pub(crate) struct NamedScope {
    pub scope: Scope,
    /// The ids of the witnesses that a search must reach.
    pub witnesses: Vec<&'static str>,
}

impl NamedScope {
    /// The scope as a file.
    pub(crate) fn file(&self) -> ScopeFile {
        let witnesses = self.witnesses.iter().map(|it| (*it).to_owned());
        ScopeFile::new(self.scope.clone(), witnesses.collect())
    }
}

/// The name of the protocol as it is, where a variant can be named.
pub(crate) const PROTOCOL: &str = "right";

/// Set once, before anything is looked up: searches run in child processes of the same program, and in
/// threads, which find variants by their names.
static OWN: OnceLock<Own> = OnceLock::new();

impl Own {
    /// Adds these to the shipped ones, for the rest of the process.
    ///
    /// # Errors
    /// A guarantee cannot be added, two of a kind have the same name, a name is unfit for a file, a scope has impossible bounds or one
    /// without an effect, or a witness does not exist.
    pub(crate) fn register(self) -> Result<(), String> {
        self.are_names_fit()?;
        if !self.guarantees.is_empty() {
            add_guarantees(self.guarantees.clone()).map_err(|it| it.to_string())?;
        }
        let twins = TWINS.iter().chain(self.twins.iter().copied()).map(|it| it.variant.name);
        let variants = twins.chain(self.variants.iter().map(|it| it.name));
        all_differ("variants", variants)?;
        let scopes = self.scopes.iter().map(|it| &*it.scope.name);
        all_differ("scopes", SHIPPED.iter().map(|it| it.name).chain(scopes))?;
        for NamedScope { scope, witnesses } in &self.scopes {
            let error = |error: String| format!("scope {}: {error}", scope.name);
            scope.validate().map_err(|it| error(it.to_string()))?;
            scope.check_effects().map_err(|it| error(it.to_string()))?;
            let unknown = witnesses.iter().find_map(|it| witness(it).err());
            unknown.map_or(Ok(()), |it| Err(error(it.to_string())))?;
        }
        for twin in &self.twins {
            let is_own = self.scopes.iter().any(|it| it.scope.name == twin.scope);
            if !is_own && shipped(twin.scope).is_none() {
                return Err(format!(
                    "twin {}: no scope is called {:?}",
                    twin.variant.name, twin.scope
                ));
            }
            if !guarantees().iter().any(|it| it.id() == twin.caught_by) {
                return Err(format!(
                    "twin {}: no guarantee was added for {:?}",
                    twin.variant.name, twin.caught_by
                ));
            }
        }
        OWN.set(self).map_err(|_| "a process runs one program".to_owned())
    }

    /// Refuses names that could not be part of the name of a trace's file, and the one that
    /// `show --against` gives to the protocol as it is.
    fn are_names_fit(&self) -> Result<(), String> {
        let twins = self.twins.iter().map(|it| ("twin", it.variant.name));
        let variants = self.variants.iter().map(|it| ("variant", it.name));
        let scopes = self.scopes.iter().map(|it| ("scope", &*it.scope.name));
        for (kind, name) in twins.chain(variants).chain(scopes) {
            assert_fit(kind, name)?;
            if kind != "scope" && name == PROTOCOL {
                return Err(format!("{kind} {name:?}: this is the name of the protocol as it is"));
            }
        }
        Ok(())
    }
}

/// The longest name, in characters: a file named after it has a few more.
const NAME_MAX: usize = 64;

/// Refuses a name that could not be part of the name of a trace's file.
pub(crate) fn assert_fit(kind: &str, name: &str) -> Result<(), String> {
    let is_fit = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
    if (1..=NAME_MAX).contains(&name.len()) && name.chars().all(is_fit) {
        return Ok(());
    }
    Err(format!(
        "{kind} {name:?}: a name consists of letters, digits, '-' and '_', {NAME_MAX} at most, because \
         files are named after it"
    ))
}

fn own() -> &'static Own {
    OWN.get_or_init(Own::default)
}

fn all_differ<'a>(kind: &str, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut known = HashSet::new();
    let mut names = names;
    match names.find(|it| !known.insert(it.to_owned())) {
        Some(name) => Err(format!("two {kind} are called {name:?}")),
        None => Ok(()),
    }
}

/// All twins, the shipped ones first.
pub(crate) fn twins() -> impl Iterator<Item = &'static Twin> {
    TWINS.iter().chain(own().twins.iter().copied())
}

/// All variants that are not twins.
pub(crate) fn variants() -> impl Iterator<Item = &'static Variant> {
    own().variants.iter().copied()
}

/// The scopes of the author.
pub(crate) fn own_scopes() -> impl Iterator<Item = &'static NamedScope> {
    own().scopes.iter()
}

/// The twin of this name; an error that names the closest one if there is none.
pub(crate) fn find_twin(name: &str) -> Result<&'static Twin, String> {
    if variants().any(|it| it.name == name) {
        return Err(format!(
            "{name} is a variant that no guarantee must catch: search for whatever it breaks with \
             `{} run SCOPE --variant {name}`",
            program_name()
        ));
    }
    twins()
        .find(|it| it.variant.name == name)
        .ok_or_else(|| unknown("twin", name, twins().map(|it| it.variant.name)))
}

/// The variant of this name, which may be that of a twin; an error that names the closest one if there
/// is none.
pub(crate) fn find_variant(name: &str) -> Result<&'static Variant, String> {
    let all = || variants().chain(twins().map(|it| &it.variant));
    all()
        .find(|it| it.name == name)
        .ok_or_else(|| unknown("variant", name, all().map(|it| it.name)))
}

/// The scope of this name; an error that names the closest one if there is none.
pub(crate) fn find_scope(name: &str) -> Result<NamedScope, String> {
    if let Some(it) = shipped(name) {
        return Ok(NamedScope { scope: it.scope(), witnesses: it.witnesses.to_vec() });
    }
    let names = || SHIPPED.iter().map(|it| it.name).chain(own_scopes().map(|it| &*it.scope.name));
    let own = own_scopes().find(|it| it.scope.name == name);
    own.cloned().ok_or_else(|| unknown("scope", name, names()))
}

/// How alike a name must be to be meant, from 0 to 1: a letter or two are wrong.
const SIMILARITY_MIN: f64 = 0.8;

/// That there is no such name, with the name that was meant, as far as that shows.
fn unknown<'a>(kind: &str, name: &str, names: impl Iterator<Item = &'a str>) -> String {
    let alike = names.map(|it| (strsim::jaro_winkler(name, it), it));
    let meant = alike.max_by(|one, other| one.0.total_cmp(&other.0));
    let meant = meant.filter(|it| it.0 >= SIMILARITY_MIN);
    let meant = meant.map_or(String::new(), |it| format!(" did you mean {}?", it.1));
    let program = program_name();
    format!("no {kind} is called {name:?}:{meant} `{program} list` names the valid {kind}s")
}

#[cfg(test)]
mod tests {
    use steadfast_guarantees::GuaranteeId;

    use super::*;

    #[test]
    fn a_wrong_name_is_answered_with_the_one_that_was_meant() {
        let says = |error: Option<String>| error.expect("no such name");
        assert_eq!(
            says(find_twin("gap-acepted").err()),
            "no twin is called \"gap-acepted\": did you mean gap-accepted? `check list` names the \
             valid twins"
        );
        let error = says(find_scope("xyz").err());
        assert_eq!(error, "no scope is called \"xyz\": `check list` names the valid scopes");
    }

    #[test]
    fn what_cannot_be_told_apart_or_does_not_exist_is_refused() {
        let twin = |scope| Box::leak(Box::new(Twin { scope, ..TWINS[0] }));
        let own = Own { twins: vec![twin("replicate")], ..Own::default() };
        assert_eq!(own.register(), Err("two variants are called \"ack-before-sync\"".to_owned()));
        let unguarded = Twin { caught_by: GuaranteeId::Own1, ..TWINS[0] };
        let mut unguarded = unguarded;
        unguarded.variant.name = "unguarded";
        let own = Own { twins: vec![Box::leak(Box::new(unguarded))], ..Own::default() };
        let says = "twin unguarded: no guarantee was added for Own1";
        assert_eq!(own.register(), Err(says.to_owned()));
        let mut other = Twin { scope: "nowhere", ..TWINS[0] };
        other.variant.name = "mine";
        let own = Own { twins: vec![Box::leak(Box::new(other))], ..Own::default() };
        assert_eq!(own.register(), Err("twin mine: no scope is called \"nowhere\"".to_owned()));
        for (name, says) in [
            ("a/b", "variant \"a/b\": a name consists of letters, digits, '-' and '_', 64 "),
            ("", "variant \"\": a name consists of "),
            ("right", "variant \"right\": this is the name of the protocol as it is"),
        ] {
            let variant = Box::leak(Box::new(Variant { name, ..TWINS[0].variant }));
            let own = Own { variants: vec![variant], ..Own::default() };
            let error = own.register().expect_err("an unfit name");
            assert!(error.starts_with(says), "{error}");
        }
        let scope = shipped("cold").expect("a shipped scope").scope();
        let own = |scope: Scope, witnesses: &[&'static str]| Own {
            scopes: vec![NamedScope { scope, witnesses: witnesses.to_vec() }],
            ..Own::default()
        };
        let error = own(scope.clone(), &[]).register();
        assert_eq!(error, Err("two scopes are called \"cold\"".to_owned()));
        let mut mine = Scope { name: "mine".to_owned(), ..scope };
        let error = own(mine.clone(), &["nobody"]).register().expect_err("no such witness");
        assert!(error.starts_with("scope mine: no witness is called \"nobody\""), "{error}");
        mine.bounds.rot = 1;
        let error = own(mine.clone(), &[]).register();
        let says = "scope mine: rot has no effect here: it needs named_contents";
        assert_eq!(error, Err(says.to_owned()));
        mine.bounds.paths = 0;
        let error = own(mine, &[]).register();
        assert_eq!(error, Err("scope mine: 0 paths: there must be 1 to 1000".to_owned()));
    }
}
