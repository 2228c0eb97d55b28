//! `check explore`: the stateright explorer.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use stateright::{Checker, HasDiscoveries, Model};
use steadfast_cluster::ClusterModel;

use crate::Failure;
use crate::options::{find, find_twin};
use crate::say::say;

/// Serves the explorer, and prints a link to the counterexample if there is one.
pub(crate) fn explore(
    scope: &str,
    twin: Option<&str>,
    address: SocketAddr,
) -> Result<ExitCode, Failure> {
    let shipped = find(scope).map_err(Failure::usage)?;
    let twin = twin.map(find_twin).transpose().map_err(Failure::usage)?;
    // The explorer itself would panic.
    TcpListener::bind(address).map_err(|error| Failure {
        message: format!("cannot serve at {address}: {error}; choose another with --address"),
        code: crate::verdict::IO,
    })?;
    let model = || ClusterModel::new(shipped.scope(), twin, &[]);
    if let Some(twin) = twin {
        eprintln!("searching for what {} breaks", twin.name);
        let finish = HasDiscoveries::AnyOf([twin.caught_by.name()].into());
        let checker = model().checker().finish_when(finish).spawn_bfs().join();
        match checker.discovery(twin.caught_by.name()) {
            Some(path) => {
                say(format_args!(
                    "{} is broken after {} steps:",
                    twin.caught_by,
                    path.clone().into_actions().len()
                ));
                say(format_args!("http://{address}/#/steps/{}", path.encode(checker.model())));
            }
            None => say(format_args!("{} does not break {} here", twin.name, twin.caught_by)),
        }
    }
    say(format_args!("http://{address}/"));
    eprintln!("press Ctrl-C to end");
    model().checker().serve(address);
    Ok(ExitCode::SUCCESS)
}
