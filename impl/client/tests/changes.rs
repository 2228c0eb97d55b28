//! Puts of large files when the cluster has an older version.

#[allow(dead_code)]
mod fake;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fake::{Fake, Fault};
use steadfast_client::{Client, Code, Condition, Error, Upload};

const MIB: usize = 1 << 20;

/// Bytes without a pattern.
fn noise(mut seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&(seed ^ seed >> 29).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Nodes with a file, a client of them, and the same file here.
struct Setting {
    fake: Fake,
    client: Client,
    path: std::path::PathBuf,
    content: Vec<u8>,
}

impl Setting {
    async fn new() -> Setting {
        let fake = Fake::start();
        let client = Client::open(&fake.client()).expect("a client");
        let (path, content) = (fake.around.path().join("file"), noise(1, 8 * MIB));
        fs::write(&path, &content).expect("a file");
        let setting = Setting { fake, client, path, content };
        setting.put().await.expect("a write");
        setting.fake.memory().requests.clear();
        setting
    }

    /// Puts the file, and returns the bytes of the body that was sent last.
    async fn put(&self) -> Result<u64, Error> {
        let moved = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&moved);
        let upload = Upload::file(&self.path);
        let upload = upload.on_progress(move |it| seen.store(it, Ordering::Relaxed));
        self.client.put("a", upload).await?;
        Ok(moved.load(Ordering::Relaxed))
    }

    /// Puts another content under the same name.
    async fn put_changed(&mut self, change: impl FnOnce(&mut Vec<u8>)) -> Result<u64, Error> {
        change(&mut self.content);
        fs::write(&self.path, &self.content).expect("a file");
        let sent = self.put().await?;
        let stored = self.fake.memory().content("a").expect("a content");
        assert!(stored == self.content);
        Ok(sent)
    }

    fn methods(&self) -> Vec<String> {
        self.fake.memory().requests.iter().map(|it| it.1.clone()).collect()
    }
}

#[tokio::test]
async fn only_the_changes_are_sent() {
    let mut setting = Setting::new().await;
    let inserted = setting.put_changed(|it| drop(it.splice(MIB..MIB, *b"inserted"))).await;
    assert_eq!(setting.methods(), ["HEAD", "GET", "GET", "PATCH"]);
    let sent = [
        inserted,
        setting.put_changed(|it| it[5 * MIB] ^= 1).await,
        setting.put_changed(|it| it.extend_from_slice(b"appended")).await,
        setting.put_changed(|it| it.truncate(7 * MIB)).await,
        setting.put_changed(|_| {}).await,
    ];
    for sent in sent {
        let sent = sent.expect("a write");
        assert!(sent < 150_000, "{sent}");
    }
    // A file that has little in common with the old one is put whole.
    let sent = setting.put_changed(|it| *it = noise(2, 9 * MIB)).await.expect("a write");
    assert_eq!(sent, 9 * MIB as u64);
    assert_eq!(setting.methods().last().map(String::as_str), Some("PUT"));
}

#[tokio::test]
async fn a_file_whose_base_is_gone_is_put_whole() {
    let mut setting = Setting::new().await;
    setting.fake.memory().discards_bases = true;
    let sent = setting.put_changed(|it| it[5 * MIB] ^= 1).await.expect("a write");
    assert_eq!(sent, 8 * MIB as u64);
    assert_eq!(setting.methods(), ["HEAD", "GET", "GET", "PATCH", "PUT"]);
    let memory = setting.fake.memory();
    assert_eq!(memory.requests[3].3, memory.requests[4].3, "one idempotency key");
}

#[tokio::test]
async fn nodes_that_know_no_deltas_get_the_file_whole() {
    let mut setting = Setting::new().await;
    for refused in [
        vec![Fault::Nothing, Fault::Refuse(404, "no-such-resource")],
        vec![Fault::Nothing, Fault::Say("no outline")],
        vec![Fault::Nothing, Fault::Nothing, Fault::Say("no chunks")],
        vec![Fault::Nothing; 3]
            .into_iter()
            .chain([Fault::Refuse(405, "method-not-allowed")])
            .collect(),
        vec![Fault::Nothing; 3].into_iter().chain([Fault::Refuse(413, "too-long")]).collect(),
        vec![Fault::Nothing; 3].into_iter().chain([Fault::Refuse(422, "other-content")]).collect(),
    ] {
        setting.fake.memory().faults.extend(refused.clone());
        let sent = setting.put_changed(|it| it[5 * MIB] ^= 1).await.expect("a write");
        assert_eq!(sent, 8 * MIB as u64, "{refused:?}");
    }
}

#[tokio::test]
async fn a_delta_is_repeated_under_its_key_and_conditions_hold_for_it() {
    let mut setting = Setting::new().await;
    setting.fake.memory().faults.extend(vec![Fault::Nothing; 3]);
    setting.fake.fault(Fault::DropAfter);
    let versions = setting.fake.memory().files["a"][0].version;
    let sent = setting.put_changed(|it| it[5 * MIB] ^= 1).await.expect("a write");
    assert!(sent < 150_000, "{sent}");
    assert_eq!(setting.fake.memory().files["a"][0].version, versions + 1, "it took place once");
    let mut keys: Vec<_> = {
        let memory = setting.fake.memory();
        memory.requests.iter().filter(|it| it.1 == "PATCH").map(|it| it.3.clone()).collect()
    };
    assert!(keys.len() >= 2, "it was repeated");
    keys.dedup();
    assert_eq!(keys.len(), 1, "under one key");

    let upload = Upload::file(&setting.path);
    let stale = Condition::IsOneOf(vec!["n0-99".parse().expect("a version")]);
    let refused = setting.client.put("a", upload).when(stale).await.expect_err("another version");
    assert_eq!(refused.code(), Some(&Code::PreconditionFailed));
    assert_eq!(setting.methods().last().map(String::as_str), Some("PATCH"));
    let upload = Upload::file(&setting.path);
    let refused = setting.client.put("a", upload).when(Condition::IsNew).await;
    assert_eq!(refused.expect_err("there is one").code(), Some(&Code::PreconditionFailed));
    assert_eq!(setting.methods().last().map(String::as_str), Some("PUT"));
}
