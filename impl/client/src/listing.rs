//! Lists of files and of conflicts, page by page; the versions of a file.

use std::collections::VecDeque;

use serde::Deserialize;

use crate::call::Call;
use crate::path::{resource, with_parameters};
use crate::{Client, Conflict, Error, File, Versions};

/// How many entries a page has.
const PAGE: usize = 1000;

impl Client {
    /// The files whose path begins with `prefix`, in byte order of their paths.
    #[must_use]
    pub fn list(&self, prefix: &str) -> List {
        List { pages: Pages::new(self, "/files", prefix) }
    }

    /// The files in conflict whose path begins with `prefix`, in byte order of their paths.
    #[must_use]
    pub fn conflicts(&self, prefix: &str) -> Conflicts {
        Conflicts { pages: Pages::new(self, "/conflicts", prefix) }
    }

    /// The heads of a file, the visible one first.
    ///
    /// # Errors
    /// There has never been such a file, or no node answers.
    pub async fn versions(&self, path: &str) -> Result<Versions, Error> {
        self.send(Call::get(resource("versions", path)?)).await?.json().await
    }
}

/// Files that arrive page by page. A file that is written meanwhile is listed as its page finds it.
#[derive(Debug)]
pub struct List {
    pages: Pages<File>,
}

impl List {
    /// From any node, without asking the cluster: faster, and perhaps outdated.
    #[must_use]
    pub fn stale(mut self) -> List {
        self.pages.is_stale = true;
        self
    }

    /// The next file; `None` after the last one.
    ///
    /// # Errors
    /// No node answers. A further call asks again.
    pub async fn next(&mut self) -> Result<Option<File>, Error> {
        self.pages.next::<FilesPage>().await
    }
}

/// Files in conflict that arrive page by page.
#[derive(Debug)]
pub struct Conflicts {
    pages: Pages<Conflict>,
}

impl Conflicts {
    /// The next file in conflict; `None` after the last one.
    ///
    /// # Errors
    /// No node answers. A further call asks again.
    pub async fn next(&mut self) -> Result<Option<Conflict>, Error> {
        self.pages.next::<ConflictsPage>().await
    }
}

#[derive(Deserialize)]
struct FilesPage {
    files: Vec<File>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct ConflictsPage {
    conflicts: Vec<Conflict>,
    next: Option<String>,
}

/// A page of entries, and the path after which the next one begins.
trait Page<T> {
    fn parts(self) -> (Vec<T>, Option<String>);
}

impl Page<File> for FilesPage {
    fn parts(self) -> (Vec<File>, Option<String>) {
        (self.files, self.next)
    }
}

impl Page<Conflict> for ConflictsPage {
    fn parts(self) -> (Vec<Conflict>, Option<String>) {
        (self.conflicts, self.next)
    }
}

#[derive(Debug)]
struct Pages<T> {
    client: Client,
    resource: &'static str,
    prefix: String,
    is_stale: bool,
    page: VecDeque<T>,
    after: Option<String>,
    is_last: bool,
}

impl<T> Pages<T> {
    fn new(client: &Client, resource: &'static str, prefix: &str) -> Pages<T> {
        Pages {
            client: client.clone(),
            resource,
            prefix: prefix.to_owned(),
            is_stale: false,
            page: VecDeque::new(),
            after: None,
            is_last: false,
        }
    }

    async fn next<P: Page<T> + for<'a> Deserialize<'a>>(&mut self) -> Result<Option<T>, Error> {
        while self.page.is_empty() && !self.is_last {
            let limit = PAGE.to_string();
            let mut parameters = vec![("prefix", self.prefix.as_str()), ("limit", &limit)];
            if let Some(after) = &self.after {
                parameters.push(("after", after));
            }
            if self.is_stale {
                parameters.push(("consistency", "stale"));
            }
            let mut call = Call::get(with_parameters(self.resource, &parameters));
            call.is_local = self.is_stale;
            let answer = self.client.send(call).await?;
            let node = answer.body.node().to_owned();
            let (page, next) = answer.json::<P>().await?.parts();
            // A node that does not get further would be asked without end.
            if next.is_some() && next <= self.after {
                let why = format!("after {:?}, its next page begins at {next:?}", self.after);
                return Err(Error::Nonsense { node, why });
            }
            self.page = page.into();
            self.is_last = next.is_none();
            self.after = next;
        }
        Ok(self.page.pop_front())
    }
}
