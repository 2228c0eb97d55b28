//! The files of a cluster: made whole, loaded strictly, renewed in time.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, Issuer, KeyPair, SanType};
use rustls::{ClientConnection, ServerConnection};
use steadfast_config::{
    ClientConfig, Cluster, ConfigError, InitError, NodeConfig, Plan, Role, client_config,
    explain_tls, init, peer_client_config, peer_role, renew, server_config, server_name,
};
use steadfast_wire::Channel;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

fn plan() -> Plan {
    let nodes = ["a=127.0.0.1:7401", "b=[::1]:7402", "c=node-c.example.org:7403"];
    Plan::new(nodes.map(|it| it.parse().expect("a node")).to_vec()).expect("three nodes")
}

/// A cluster in a directory of its own.
fn cluster() -> (TempDir, PathBuf, Cluster) {
    let around = tempfile::tempdir().expect("a directory");
    let directory = around.path().join("cluster");
    let cluster = init(&directory, &plan(), &mut |_| Ok(())).expect("a cluster");
    (around, directory, cluster)
}

fn load(cluster: &Cluster, node: usize) -> Result<NodeConfig, ConfigError> {
    NodeConfig::load(&cluster.nodes[node].directory.join("node.toml"))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[test]
fn init_makes_every_file_and_keeps_keys_private() {
    let (_around, directory, cluster) = cluster();
    for place in ["a", "b", "c", "client"] {
        for name in ["ca.pem", "cert.pem", "key.pem"] {
            assert!(directory.join(place).join(name).is_file(), "{place}/{name}");
        }
        assert_eq!(mode(&directory.join(place).join("key.pem")), 0o600, "{place}");
    }
    assert_eq!(mode(&directory.join("ca-key.pem")), 0o600);
    for (at, node) in cluster.nodes.iter().enumerate() {
        let config = load(&cluster, at).expect("a configuration");
        assert_eq!((config.cluster, &config.name), (cluster.id, &node.name));
        assert_eq!((config.id.index(), config.members.len()), (at, 3));
        assert_eq!((config.settings.elect(), config.settings.write()), (2, 2));
        assert_eq!(config.data, node.data());
        assert_eq!(config.own().address, node.address);
        assert!(!config.allow_cut);
    }
    assert_eq!(load(&cluster, 2).expect("c").listen.to_string(), "0.0.0.0:7403");
    let client = ClientConfig::load(&cluster.client).expect("a client");
    assert_eq!((client.cluster, client.nodes.len()), (cluster.id, 3));
}

#[test]
fn init_refuses_a_directory_that_exists_and_changes_nothing_in_it() {
    let around = tempfile::tempdir().expect("a directory");
    let path = around.path().join("cluster");
    for make in [|it: &Path| fs::create_dir(it), |it: &Path| fs::write(it, "mine")] {
        make(&path).expect("something");
        let error = init(&path, &plan(), &mut |_| Ok(())).expect_err("it is there");
        assert!(matches!(error, InitError::Exists(_)), "{error}");
        assert_eq!(fs::read_dir(around.path()).expect("a directory").count(), 1);
        let _ = fs::remove_dir(&path);
    }
    assert_eq!(fs::read_to_string(&path).expect("a file"), "mine");
}

#[test]
fn a_preparation_that_fails_leaves_nothing_behind() {
    let around = tempfile::tempdir().expect("a directory");
    let path = around.path().join("cluster");
    let mut prepared = Vec::new();
    let error = init(&path, &plan(), &mut |node| {
        fs::create_dir(node.data())?;
        prepared.push(node.name.to_string());
        match node.name.as_str() {
            "b" => Err(io::Error::other("the disk is full")),
            _ => Ok(()),
        }
    });
    let error = error.expect_err("b cannot be made").to_string();
    assert_eq!(error, "cannot prepare node b: the disk is full");
    assert_eq!(prepared, ["a", "b"]);
    assert_eq!(fs::read_dir(around.path()).expect("a directory").count(), 0);

    init(&path, &plan(), &mut |node| fs::create_dir(node.data())).expect("a cluster");
    assert!(path.join("a/data").is_dir(), "what is prepared moves with the cluster");
}

#[test]
fn plans_that_fit_no_cluster_are_refused_with_the_reason() {
    let node = |it: &str| it.parse::<steadfast_config::PlannedNode>();
    for (nodes, reason) in [
        (vec![], "1 to 7 nodes"),
        (vec!["a=h:1", "a=h:2"], "two nodes are named a"),
        (vec!["a=h:1", "b=H:1"], "the same address"),
    ] {
        let nodes = nodes.into_iter().map(|it| node(it).expect("a node")).collect();
        let error = Plan::new(nodes).expect_err(reason).to_string();
        assert!(error.contains(reason), "{error}");
    }
    let many = (0..8).map(|it| node(&format!("n{it}=h:{}", it + 1)).expect("a node")).collect();
    assert!(Plan::new(many).expect_err("eight").to_string().contains("1 to 7 nodes"));
    let error = plan().quorums(4, 2).expect_err("4 of 3").to_string();
    assert!(error.contains("E = 4") && error.contains("1 to 3"), "{error}");
    for text in ["a", "=h:1", "a=h", "A=h:1", "a=h:0", "client=h:1"] {
        assert!(node(text).is_err(), "{text}");
    }
}

/// Loads a's configuration after a change of its text.
fn changed(from: &str, to: &str) -> String {
    let (_around, _, cluster) = cluster();
    let path = cluster.nodes[0].directory.join("node.toml");
    let text = fs::read_to_string(&path).expect("a configuration");
    assert!(text.contains(from), "{from}");
    fs::write(&path, text.replacen(from, to, 1)).expect("a file");
    let error = load(&cluster, 0).expect_err(to).to_string();
    assert!(error.starts_with(&path.display().to_string()), "{error}");
    error
}

#[test]
fn a_mistake_in_a_configuration_is_named_with_its_line_or_key_and_the_accepted_values() {
    for (from, to, reasons) in [
        (
            "elect = 2",
            "elekt = 2",
            &["line 6", "unknown field `elekt`", "`heartbeat_interval_ms`"][..],
        ),
        ("elect = 2\n", "", &["missing field `elect`"]),
        ("elect = 2", "elect = \"2\"", &["line 6", "expected u8"]),
        ("elect = 2", "elect = 4", &["elect:", "E = 4", "1 to 3"]),
        ("write = 2", "write = 0", &["write:", "W = 0", "1 to 3"]),
        ("name = \"a\"", "name = \"d\"", &["name:", "d is not among the members: a, b, c"]),
        ("cluster = \"", "cluster = \"x", &["line 2", "32 hexadecimal digits"]),
        ("listen = \"", "listen = \"x", &["line 4", "socket address"]),
        (
            "elect = 2",
            "elect = 2\nelection_timeout_ms = 200",
            &["election_timeout_ms:", "below 300"],
        ),
        ("elect = 2", "elect = 2\nelection_timeout_ms = 0", &["not in 1 to 3600000"]),
        ("elect = 2", "elect = 2\ninline_bytes_max = 65537", &["inline_bytes_max:", "above 65536"]),
        (
            "elect = 2",
            "elect = 2\nlog_format = \"xml\"",
            &["unknown variant `xml`", "`text`", "`json`"],
        ),
        ("elect = 2", "elect = 2\nlimits = { connections = 1 }", &["line 7", "`connections_max`"]),
        (
            "elect = 2",
            "elect = 2\nlimits = { requests_max = 0 }",
            &["limits.requests_max:", "1000000"],
        ),
        ("id = 1", "id = 7", &["members:", "the ids are 0, 2, 7", "0 to N-1"]),
        ("id = 1", "id = 1\nport = 3", &["unknown field `port`", "`address`"]),
        ("name = \"b\"", "name = \"c\"", &["two nodes are named c"]),
        ("[::1]:7402", "[::1]", &["HOST:PORT"]),
        ("elect = 2", "elect = ", &["line 6"]),
    ] {
        let error = changed(from, to);
        for reason in reasons {
            assert!(error.contains(reason), "{to}: {error}");
        }
    }
}

#[test]
fn a_file_that_is_missing_too_long_or_no_text_is_named() {
    let (_around, _, cluster) = cluster();
    let path = cluster.nodes[0].directory.join("node.toml");
    fs::write(&path, [0xff, 0xfe]).expect("a file");
    assert!(load(&cluster, 0).expect_err("binary").to_string().contains("not UTF-8"));
    fs::write(&path, " ".repeat((1 << 20) + 1)).expect("a file");
    assert!(matches!(load(&cluster, 0), Err(ConfigError::TooLong { .. })));
    fs::remove_file(&path).expect("a file");
    let error = load(&cluster, 0).expect_err("missing");
    assert!(matches!(&error, ConfigError::Read { path: it, .. } if *it == path), "{error}");
}

/// The example names every key, with its default where it has one.
#[test]
fn the_example_explains_every_key_and_shows_the_defaults() {
    let example = include_str!("../examples/node.toml");
    let (_around, _, cluster) = cluster();
    let path = cluster.nodes[0].directory.join("node.toml");
    let own = fs::read_to_string(&path).expect("a configuration");
    let defaults = load(&cluster, 0).expect("a configuration");
    let id = cluster.id.to_string();
    let filled = example.replace("0123456789abcdef0123456789abcdef", &id);
    fs::write(&path, &filled).expect("a file");
    let shown = load(&cluster, 0).expect("the example");
    assert_eq!(shown.election_timeout, defaults.election_timeout);
    assert_eq!(shown.heartbeat_interval, defaults.heartbeat_interval);
    assert_eq!(shown.inline_bytes_max, defaults.inline_bytes_max);
    assert_eq!(shown.limits, defaults.limits);
    assert_eq!(shown.scrub_bytes_per_s, defaults.scrub_bytes_per_s);
    assert_eq!((shown.allow_cut, shown.log_format), (defaults.allow_cut, defaults.log_format));
    assert_eq!((&shown.record, &defaults.record), (&None, &None));
    assert_eq!((&shown.data, &shown.credentials), (&defaults.data, &defaults.credentials));

    // The refusal of an unknown key lists all of them.
    let mut keys = 0;
    for (to, section) in [("unknown = 1\n", &own), ("[limits]\nunknown = 1\n", &filled)] {
        let text = match to.starts_with('[') {
            true => section.replacen("[limits]\n", to, 1),
            false => format!("{to}{section}"),
        };
        fs::write(&path, text).expect("a file");
        let error = load(&cluster, 0).expect_err("an unknown key").to_string();
        let known = error.split("expected one of ").nth(1).expect("the known keys");
        for key in known.split(", ").map(|it| it.trim_matches('`')) {
            let line = example.lines().position(|it| {
                // A key without a default is shown as a comment.
                let it = it.strip_prefix("# ").unwrap_or(it);
                it.starts_with(&format!("{key} = "))
                    || [format!("[{key}]"), format!("[[{key}]]")].contains(&it.to_owned())
            });
            assert!(line.is_some(), "{key} is not in the example");
            keys += 1;
        }
    }
    assert_eq!(keys, 18 + 6);
}

/// Exchanges bytes until the handshake is complete or fails.
fn handshake(
    server: rustls::ServerConfig,
    client: rustls::ClientConfig,
    name: rustls::pki_types::ServerName<'static>,
) -> Result<(ServerConnection, ClientConnection), rustls::Error> {
    let mut server = ServerConnection::new(Arc::new(server))?;
    let mut client = ClientConnection::new(Arc::new(client), name)?;
    let mut bytes = Vec::new();
    while server.is_handshaking() || client.is_handshaking() {
        bytes.clear();
        while client.wants_write() {
            client.write_tls(&mut bytes).expect("memory");
        }
        server.read_tls(&mut &bytes[..]).expect("memory");
        server.process_new_packets()?;
        bytes.clear();
        while server.wants_write() {
            server.write_tls(&mut bytes).expect("memory");
        }
        client.read_tls(&mut &bytes[..]).expect("memory");
        client.process_new_packets()?;
    }
    Ok((server, client))
}

#[test]
fn nodes_and_clients_of_a_cluster_authenticate_each_other_and_know_their_roles() {
    let (_around, _, cluster) = cluster();
    let (a, b) = (load(&cluster, 0).expect("a"), load(&cluster, 1).expect("b"));
    let client = ClientConfig::load(&cluster.client).expect("a client");
    let serve = || server_config(&a).expect("a server");

    let (server, peer) =
        handshake(serve(), peer_client_config(&b, Channel::Log).expect("b"), server_name(&a.name))
            .expect("a handshake");
    assert_eq!(peer_role(server.peer_certificates()), Ok(Role::Node(b.name.clone())));
    assert_eq!(peer_role(peer.peer_certificates()), Ok(Role::Node(a.name.clone())));
    assert_eq!(server.alpn_protocol(), Some(Channel::Log.alpn()));

    let connect = || client_config(&client).expect("a client");
    let (server, _) = handshake(serve(), connect(), server_name(&a.name)).expect("a handshake");
    assert_eq!(peer_role(server.peer_certificates()), Ok(Role::Client));
    assert_eq!(server.alpn_protocol(), Some(&b"h2"[..]));

    // Programs that know addresses only verify the address.
    let by_address = "127.0.0.1".try_into().expect("an address");
    handshake(serve(), connect(), by_address).expect("a handshake");
    let error = handshake(serve(), connect(), server_name(&b.name)).expect_err("it is a");
    assert!(explain_tls(&error).contains("another node answers"), "{error}");
}

#[test]
fn another_cluster_and_peers_without_certificate_are_refused() {
    let ((_one, _, ours), (_other, _, theirs)) = (cluster(), cluster());
    let a = load(&ours, 0).expect("a");
    let serve = || server_config(&a).expect("a server");
    let stranger = ClientConfig::load(&theirs.client).expect("a client");
    let error = handshake(serve(), client_config(&stranger).expect("tls"), server_name(&a.name));
    assert!(explain_tls(&error.expect_err("a stranger")).contains("another cluster"));

    let mut roots = rustls::RootCertStore::empty();
    let text = fs::read(&a.credentials.authority).expect("a certificate");
    use rustls::pki_types::pem::PemObject;
    roots.add(rustls::pki_types::CertificateDer::from_pem_slice(&text).expect("PEM")).expect("CA");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let anonymous = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let error = handshake(serve(), anonymous, server_name(&a.name)).expect_err("anonymous");
    assert_eq!(error, rustls::Error::NoCertificatesPresented);
    assert_eq!(peer_role(None), Err(steadfast_config::PeerError::Missing));
}

#[test]
fn credentials_that_do_not_belong_together_are_refused_when_they_are_loaded() {
    let ((_one, _, ours), (_other, _, theirs)) = (cluster(), cluster());
    let own = ours.nodes[0].directory.clone();
    let swap = |from: &Path, name: &str, reason: &str| {
        let kept = fs::read(own.join(name)).expect("a file");
        fs::copy(from.join(name), own.join(name)).expect("a file");
        let error = load(&ours, 0).expect_err(reason).to_string();
        assert!(error.contains(reason) && error.contains(name), "{error}");
        fs::write(own.join(name), kept).expect("a file");
    };
    swap(&theirs.nodes[0].directory, "ca.pem", "authority of another cluster");
    swap(&theirs.nodes[0].directory, "cert.pem", "another authority signed");
    swap(&ours.nodes[1].directory, "cert.pem", "is of node b, not of node a");
    swap(&ours.client, "cert.pem", "is of a client, not of node a");

    // Another key is noticed when rustls takes both.
    let key = own.join("key.pem");
    fs::copy(ours.nodes[1].directory.join("key.pem"), &key).expect("a file");
    let error = server_config(&load(&ours, 0).expect("a")).expect_err("b's key");
    assert!(matches!(error, ConfigError::Tls { .. }), "{error}");
    fs::write(&key, "no key").expect("a file");
    let error = server_config(&load(&ours, 0).expect("a")).expect_err("no key").to_string();
    assert!(error.contains("no private key"), "{error}");

    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("a mode");
    let error = load(&ours, 0).expect_err("exposed").to_string();
    assert!(error.contains("mode 644") && error.contains("chmod 600"), "{error}");
    fs::write(own.join("cert.pem"), "garbage").expect("a file");
    assert!(load(&ours, 0).expect_err("garbage").to_string().contains("no certificate"));
}

/// Replaces the certificate of node a by one that is valid in this time.
fn with_validity(directory: &Path, from: OffsetDateTime, until: OffsetDateTime) {
    let read = |name: &str| fs::read_to_string(directory.join(name)).expect("a file");
    let ca = KeyPair::from_pem(&read("ca-key.pem")).expect("a key");
    let issuer = Issuer::from_ca_cert_pem(&read("ca.pem"), ca).expect("an authority");
    let mut params = CertificateParams::default();
    let name = "a.node.steadfast".try_into().expect("a name");
    params.subject_alt_names = vec![SanType::DnsName(name)];
    (params.not_before, params.not_after) = (from, until);
    let key = KeyPair::from_pem(&read("a/key.pem")).expect("a key");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    fs::write(directory.join("a/cert.pem"), certificate.pem()).expect("a file");
}

#[test]
fn an_expired_certificate_says_so_and_is_renewed_for_the_same_key() {
    let (_around, directory, cluster) = cluster();
    let now = OffsetDateTime::now_utc();
    let day = Duration::days(1);
    with_validity(&directory, now + day, now + day + day);
    let error = load(&cluster, 0).expect_err("too early").to_string();
    assert!(error.contains("valid from") && error.contains("clock"), "{error}");

    let before = load(&cluster, 1).expect("b");
    let key = fs::read(directory.join("a/key.pem")).expect("a key");
    with_validity(&directory, now - day - day, now - day);
    let error = load(&cluster, 0).expect_err("expired").to_string();
    assert!(error.contains("expired on 20") && error.contains("steadfast renew"), "{error}");

    let renewed = renew(&directory).expect("certificates");
    assert_eq!(renewed.certificates.len(), 4);
    assert_eq!(fs::read(directory.join("a/key.pem")).expect("a key"), key);
    let a = load(&cluster, 0).expect("a");
    let client = client_config(&ClientConfig::load(&cluster.client).expect("a client"));
    let serve = || server_config(&a).expect("a server");
    handshake(serve(), client.expect("a client"), server_name(&a.name)).expect("a handshake");
    let peer = peer_client_config(&before, Channel::Log).expect("b");
    handshake(serve(), peer, server_name(&a.name)).expect("a handshake");

    // One that is refused leaves all as they are.
    let kept = fs::read(directory.join("a/cert.pem")).expect("a certificate");
    fs::write(directory.join("client/key.pem"), "no key").expect("a file");
    assert!(renew(&directory).expect_err("no key").to_string().contains("client/key.pem"));
    assert_eq!(fs::read(directory.join("a/cert.pem")).expect("a certificate"), kept);
}
