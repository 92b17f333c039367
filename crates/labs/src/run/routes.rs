//! At which address the participants find the launcher, and each other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use netkit::hosts::Host;
use netkit::launch::LaunchOptions;

use super::plan::Plan;

/// Where to listen: on loopback if all participants are here, else everywhere.
pub(super) fn listen_address(plan: &Plan) -> SocketAddr {
    if plan.room.hosts.iter().all(Host::is_local) && plan.room.advertise.is_none() {
        return (Ipv4Addr::LOCALHOST, 0).into();
    }
    // The IPv6 wildcard takes IPv4 too, where the machine has IPv6.
    let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    match std::net::TcpListener::bind(everywhere) {
        Ok(_) => everywhere,
        Err(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
    }
}

/// Where each participant finds the launcher, as far as that can be known before anybody is
/// reached: the address of this machine on the way to it. A participant on this machine is given an
/// address that the others can reach, for they will reach it under the same.
pub(super) fn launcher_addresses(plan: &Plan, placement: &[usize], port: u16) -> Vec<SocketAddr> {
    let routes: BTreeMap<usize, IpAddr> = placement
        .iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter_map(|&index| {
            let host = plan.room.hosts.get(index)?;
            let route =
                if host.is_local() { None } else { address_towards(host, &plan.room.launch) };
            route.map(|address| (index, address))
        })
        .collect();
    let outward = routes.values().next().copied();
    placement
        .iter()
        .map(|index| {
            let address = plan
                .room
                .advertise
                .or(routes.get(index).copied())
                .or(outward)
                .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
            SocketAddr::new(address, port)
        })
        .collect()
}

/// The address that this machine would use to reach `host`. Connecting a UDP socket sends nothing.
fn address_towards(host: &Host, options: &LaunchOptions) -> Option<IpAddr> {
    let target = netkit::ssh::resolve(host, options).ok()?;
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(target).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
