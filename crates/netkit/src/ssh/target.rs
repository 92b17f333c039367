//! Which machine a line of the host file means: its address, its port, the user to log in as, with
//! which keys. What the line leaves open, the [configuration](super::configuration) says.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::time::Duration;

use super::configuration::{Family, Settings, SshFolder};
use super::known_hosts::filed_name;
use crate::hosts::Host;
use crate::launch::job::{LaunchError, LaunchOptions, Stage};
use crate::threads;

/// One SSH server, and how to log in to it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The machine as messages name it: as in the host file, without slots.
    pub(super) label: String,
    /// At least one, in the order in which they are tried.
    pub(super) addresses: Vec<SocketAddr>,
    /// The address of this machine to connect from, if the configuration names one.
    pub(super) bind: Option<IpAddr>,
    pub(super) settings: Settings,
    /// Where the usual keys are.
    pub(super) folder: SshFolder,
}

impl Target {
    /// Finds out all about a line of the host file that can be known without asking the machine.
    pub(crate) fn resolve(host: &Host, options: &LaunchOptions) -> Result<Target, LaunchError> {
        let label = label(host);
        let failed =
            |what: String, hint: &str| LaunchError::new(&label, Stage::Resolve, what, hint);
        let folder = SshFolder::new(options);
        let settings = Settings::of(host, &folder, options)
            .map_err(|unusable| failed(unusable.what, &unusable.hint))?;
        let mut addresses = look_up(&settings.name, settings.port, options.connect_timeout)
            .map_err(|what| failed(what, "check the name in the host file"))?;
        addresses.retain(|address| match settings.family {
            Family::Any => true,
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
        });
        if addresses.is_empty() {
            let what = format!("{} has no address of the AddressFamily asked for", settings.name);
            return Err(failed(what, "change AddressFamily in the SSH configuration"));
        }
        let bind = match &settings.bind {
            Some(name) => Some(
                bind_address(name, options)
                    .map_err(|what| failed(what, "change BindAddress in the SSH configuration"))?,
            ),
            None => None,
        };
        Ok(Target { label, addresses, bind, settings, folder })
    }

    /// The address tried first; it stands for the server where connections are counted.
    pub(crate) fn first_address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// The name that its host key is filed under.
    pub(super) fn filed_name(&self) -> String {
        match &self.settings.trust.alias {
            Some(alias) => alias.to_ascii_lowercase(),
            None => filed_name(&self.settings.name, self.settings.port),
        }
    }
}

/// The machine as messages name it.
pub(super) fn label(host: &Host) -> String {
    Host { slots: 1, ..host.clone() }.to_string()
}

fn bind_address(name: &str, options: &LaunchOptions) -> Result<IpAddr, String> {
    let addresses = look_up(name, 0, options.connect_timeout)?;
    addresses.first().map(SocketAddr::ip).ok_or_else(|| format!("{name} has no address"))
}

/// The addresses of a name. The system's look-up knows no deadline, so it runs in a thread of its
/// own, which is left to end by itself when it takes too long.
fn look_up(name: &str, port: u16, timeout: Duration) -> Result<Vec<SocketAddr>, String> {
    // No look-up, and no thread, for what is an address already.
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (answer, answered) = mpsc::channel();
    let asked = name.to_owned();
    threads::spawn("look-up", move || {
        let addresses = (asked.as_str(), port).to_socket_addrs().map(Iterator::collect);
        // Nobody waits any more: then nobody wants to know.
        let _ = answer.send(addresses);
    })
    .map_err(|error| error.to_string())?;
    match answered.recv_timeout(timeout) {
        Ok(Ok(addresses)) => {
            let addresses: Vec<SocketAddr> = addresses;
            if addresses.is_empty() { Err(format!("{name} has no address")) } else { Ok(addresses) }
        }
        Ok(Err(error)) => Err(format!("{name} has no address: {error}")),
        Err(_) => Err(format!(
            "the name service did not answer for {name} within {} s",
            timeout.as_secs_f32()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_not_looked_up() {
        let wait = Duration::ZERO;
        assert_eq!(look_up("127.0.0.9", 22, wait).unwrap(), ["127.0.0.9:22".parse().unwrap()]);
        assert_eq!(look_up("::1", 22, wait).unwrap(), ["[::1]:22".parse().unwrap()]);
    }
}
