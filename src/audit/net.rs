//! Addresses and networks in CIDR notation.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network: an address and the length of its prefix.
///
/// An IPv4-mapped network, such as `::ffff:10.0.0.0/104`, is stored as its IPv4 network. An IPv4 network contains IPv4
/// addresses only, in either form, and an IPv6 network IPv6 addresses only: `::/0` is not every address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// The reason why a text is not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkError {
    /// The part before the slash is not an address.
    Address,
    /// The part after the slash is not a prefix length of the address's family.
    Prefix,
    /// The address has bits after its prefix. Contains the network without them.
    HostBits(Network),
}

impl Network {
    /// Parses a network, such as `10.0.0.0/8` or `2001:db8::/32`, or an address.
    ///
    /// Spellings with leading zeros or zones are rejected.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Address)?;
        let longest = longest_prefix(address);
        let prefix = match prefix {
            Some(digits) => parse_prefix(digits).filter(|prefix| *prefix <= longest),
            None => Some(longest),
        };
        let prefix = prefix.ok_or(NetworkError::Prefix)?;
        let (address, prefix) = match (address.to_canonical(), address) {
            (mapped @ IpAddr::V4(_), IpAddr::V6(_)) if prefix >= 96 => (mapped, prefix.saturating_sub(96)),
            (_, address) => (address, prefix),
        };
        let network = Self { address: masked(address, prefix), prefix };
        if network.address == address { Ok(network) } else { Err(NetworkError::HostBits(network)) }
    }

    /// Whether an address belongs to the network.
    pub fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.prefix) == self.address
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Parses an address of an event, with an optional zone (`fe80::1%eth0`).
pub(crate) fn parse_address(text: &str) -> Option<IpAddr> {
    text.split('%').next()?.parse().ok()
}

fn longest_prefix(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Parses a decimal without a sign or leading zeros, which the standard parser accepts.
fn parse_prefix(digits: &str) -> Option<u8> {
    let is_canonical = digits == "0" || !digits.starts_with(['0', '+']);
    digits.parse().ok().filter(|_| is_canonical)
}

/// Returns an address with all bits after a prefix cleared.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let shift = u32::from(longest_prefix(address).saturating_sub(prefix));
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(shift).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(shift).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_parsed_strictly() {
        for (text, expected) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("192.0.2.1", "192.0.2.1/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::/0", "::/0"),
            ("::1", "::1/128"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:192.0.2.1", "192.0.2.1/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
        ] {
            assert_eq!(Network::parse(text).unwrap().to_string(), expected, "{text}");
        }
        for text in
            ["", "10.0.0/8", "010.0.0.0/8", "10.0.0.0.0", "example.com", "fe80::1%eth0", " ::1", "1/8"]
        {
            assert_eq!(Network::parse(text), Err(NetworkError::Address), "{text}");
        }
        for text in
            ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/+8", "::/129", "10.0.0.0/8/8", "::/-1"]
        {
            assert_eq!(Network::parse(text), Err(NetworkError::Prefix), "{text}");
        }
        let Err(NetworkError::HostBits(network)) = Network::parse("10.1.2.3/8") else { panic!() };
        assert_eq!(network.to_string(), "10.0.0.0/8");
        assert!(matches!(Network::parse("2001:db8::1/32"), Err(NetworkError::HostBits(_))));
    }

    #[test]
    fn networks_contain_addresses_of_their_family() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "::1", true),
            ("::/0", "10.0.0.1", false),
            ("::/0", "::ffff:10.0.0.1", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("fe80::/10", "fe80::1%eth0", true),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
        ] {
            let address = parse_address(address).unwrap();
            assert_eq!(Network::parse(network).unwrap().contains(address), expected, "{network} {address}");
        }
        for text in ["", "unknown", "10.0.0.1:443", "[::1]", "10.0.0.01"] {
            assert_eq!(parse_address(text), None, "{text}");
        }
    }
}
