//! Files that come as deltas.

use axum::http::header::CONTENT_TYPE;
use steadfast_delta::manifest::{Manifest, Outline, Root};
use steadfast_delta::remote::PatchPlan;

use super::*;

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

fn root(content: &[u8]) -> Root {
    Manifest::of(content, Depth::Chunks).root()
}

/// The patch that a client makes of the answers of the node.
async fn patch(node: &Node, base: Root, new: &Manifest, bytes: &[u8]) -> Vec<u8> {
    let (status, outline) = node.ask("GET", &format!("/contents/{base}/outline"), "").await;
    assert_eq!(status, 200);
    let sections = outline.chunks(12).map(|it| *it.first_chunk().expect("a length"));
    let length = sections.map(|it| u64::from(u32::from_le_bytes(it))).sum();
    let outline = Outline::from_bytes(&outline, length).expect("an outline");
    let mut listed = Vec::new();
    for number in outline.sections_not_in(new) {
        let uri = format!("/contents/{base}/chunks?sections={number}");
        let (status, list) = node.ask("GET", &uri, "").await;
        assert_eq!(status, 200);
        let (length, chunks) = list.split_first_chunk().expect("a length");
        assert_eq!(u32::from_le_bytes(*length) as usize, chunks.len());
        let section = outline.section(number, chunks);
        listed.push((number, section.expect("a section")));
    }
    let mut patch = Vec::new();
    let plan = PatchPlan::new(new, &outline, &listed);
    let written = plan.write(bytes, |piece| {
        patch.extend(piece);
        true
    });
    written.expect("memory");
    patch
}

fn delta(path: &str, base: Root, result: Root, patch: impl Into<Body>) -> HttpRequest<Body> {
    let request = HttpRequest::patch(format!("/files/{path}"))
        .header(CONTENT_TYPE, "application/vnd.steadfast.delta")
        .header("Steadfast-Base", base.to_string())
        .header("Steadfast-Content", result.to_string());
    request.body(patch.into()).expect("a request")
}

async fn answer(node: &Node, request: HttpRequest<Body>) -> (u16, Value) {
    let (status, body) = taken(node.send(request).await).await;
    (status, serde_json::from_slice(&body).expect("JSON"))
}

#[tokio::test]
async fn a_delta_makes_the_same_file_as_a_put() {
    let node = leader().await;
    let base = noise(1, 5 * MIB);
    let change = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut new = base.clone();
        change(&mut new);
        new
    };
    let cases = [
        change(&|_| {}),
        change(&|it| it[3 * MIB] ^= 1),
        change(&|it| drop(it.splice(MIB..MIB, *b"inserted"))),
        change(&|it| drop(it.drain(2 * MIB..2 * MIB + 77))),
        change(&|it| it.extend_from_slice(&noise(2, MIB))),
        change(&|it| it.truncate(2 * MIB + 9)),
        change(&|it| it.rotate_left(2 * MIB)),
        noise(3, 6 * MIB),
    ];
    for (number, new) in cases.iter().enumerate() {
        node.ask("PUT", "/files/base", base.clone()).await;
        let manifest = Manifest::of(new, Depth::Chunks);
        let patch = patch(&node, root(&base), &manifest, new).await;
        let request = delta("a", root(&base), manifest.root(), patch);
        let (status, body) = answer(&node, request).await;
        assert_eq!(status, if number == 0 { 201 } else { 200 }, "{number}: {body}");
        assert_eq!(body["content"], json!(root(new).to_string()));
        assert_eq!(body["length"], json!(new.len()));
        let (status, found) = node.ask("GET", "/files/a", "").await;
        assert!(status == 200 && found == *new, "{number}");
    }
}

#[tokio::test]
async fn a_delta_that_does_not_fit_is_refused_by_name_and_leaves_nothing() {
    let node = leader().await;
    let base = noise(1, 5 * MIB);
    let mut new = base.clone();
    new[3 * MIB] ^= 1;
    node.ask("PUT", "/files/a", base.clone()).await;
    let manifest = Manifest::of(&new, Depth::Chunks);
    let patch = patch(&node, root(&base), &manifest, &new).await;
    let (of_base, of_new, other) = (root(&base), manifest.root(), root(b"other"));

    let base_of_another_length = noise(4, 4 * MIB);
    node.ask("PUT", "/files/b", base_of_another_length.clone()).await;
    let mut damaged = patch.clone();
    damaged[patch.len() / 2] ^= 1;
    let longer = [&patch[..], b"more"].concat();
    for (base, result, patch, expected) in [
        (other, of_new, &patch[..], (409, "base-missing")),
        (of_base, other, &patch, (422, "other-content")),
        (of_base, of_new, &patch[..patch.len() / 2], (400, "bad-delta")),
        (of_base, of_new, &patch[..patch.len() - 1], (400, "bad-delta")),
        (of_base, of_new, &[], (400, "bad-delta")),
        (of_base, of_new, &damaged, (400, "bad-delta")),
        (of_base, of_new, &longer, (400, "bad-delta")),
        (root(&base_of_another_length), of_new, &patch, (400, "bad-delta")),
    ] {
        let (status, body) = answer(&node, delta("a", base, result, patch.to_vec())).await;
        assert_eq!((status, code(&body)), expected, "{body}");
        let (_, found) = node.ask("GET", "/files/a", "").await;
        assert!(root(&found) == of_base, "{expected:?}");
    }
    let (status, _) = node.ask("GET", &format!("/contents/{of_new}/outline"), "").await;
    assert_eq!(status, 404, "nothing of it stays");
    let request = delta("a", of_base, of_new, patch);
    assert_eq!(answer(&node, request).await.0, 200, "the same delta, unharmed");
}

#[tokio::test]
async fn a_short_delta_of_a_huge_content_is_refused_before_anything_is_made() {
    let node = leader().await;
    let base = noise(5, 6 * MIB);
    node.ask("PUT", "/files/a", base.clone()).await;
    let held = Manifest::of(&base, Depth::Chunks);
    // A content of one section over and over, of which no byte is needed for its delta.
    let sections = vec![Arc::clone(&held.sections()[0]); (2 << 30) / MIB];
    let huge = Manifest::from_sections(sections);
    let patch = patch(&node, held.root(), &huge, &[]).await;
    assert!(patch.len() < MIB);
    let (status, body) = answer(&node, delta("a", held.root(), huge.root(), patch)).await;
    assert_eq!((status, code(&body)), (413, "too-long"), "{body}");
}

#[tokio::test]
async fn a_base_that_rots_is_no_base() {
    let node = leader().await;
    let base = noise(6, 5 * MIB);
    node.ask("PUT", "/files/a", base.clone()).await;
    let mut new = base.clone();
    new[MIB] ^= 1;
    let manifest = Manifest::of(&new, Depth::Chunks);
    let patch = patch(&node, root(&base), &manifest, &new).await;
    let file = node.directory.path().join("contents").join(root(&base).to_string());
    let mut rotten = std::fs::read(&file).expect("a content");
    rotten[3 * MIB] ^= 1;
    std::fs::write(&file, rotten).expect("a content");
    let (status, body) = answer(&node, delta("a", root(&base), manifest.root(), patch)).await;
    assert_eq!((status, code(&body)), (409, "base-missing"), "{body}");
    let (status, _) = node.ask("PUT", "/files/a", new.clone()).await;
    assert_eq!(status, 200);
    assert!(node.ask("GET", "/files/a", "").await.1 == new);
}

#[tokio::test]
async fn requests_about_contents_that_make_no_sense_are_refused() {
    let node = leader().await;
    let base = noise(7, 5 * MIB);
    node.ask("PUT", "/files/a", base.clone()).await;
    let known = root(&base);
    for (uri, expected) in [
        (format!("/contents/{}/outline", root(b"x")), (404, "unknown-content")),
        (format!("/contents/{}/chunks?sections=0", root(b"x")), (404, "unknown-content")),
        ("/contents/abc/outline".to_owned(), (400, "bad-request")),
        (format!("/contents/{known}/chunks"), (400, "bad-request")),
        (format!("/contents/{known}/chunks?sections=999"), (400, "bad-request")),
        (format!("/contents/{known}/chunks?sections=0-9999"), (400, "bad-request")),
        (format!("/contents/{known}"), (404, "no-such-resource")),
    ] {
        let (status, body) = node.json("GET", &uri, "").await;
        assert_eq!((status, code(&body)), expected, "{uri}");
    }
    let plain = HttpRequest::patch("/files/a").body(Body::empty()).expect("a request");
    let response = node.send(plain).await;
    assert_eq!(response.headers()["accept-patch"], "application/vnd.steadfast.delta");
    let (status, body) = taken(response).await;
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((status, code(&body)), (415, "other-media-type"));
    let mut request = delta("a", known, known, "");
    request.headers_mut().remove("steadfast-base");
    let (status, body) = answer(&node, request).await;
    assert_eq!((status, code(&body)), (400, "bad-request"));
    assert!(body["error"]["message"].as_str().is_some_and(|it| it.contains("steadfast-base")));
}
