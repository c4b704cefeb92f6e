//! Addresses and networks in CIDR notation.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network of addresses, such as `10.0.0.0/8`.
///
/// An IPv4-mapped network, such as `::ffff:10.0.0.0/104`, is stored as its IPv4 network. An IPv4 network contains IPv4
/// addresses only, in either form, and an IPv6 network IPv6 addresses only: `::/0` is not every address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Network {
    /// A network of IPv4.
    V4 {
        /// The first address.
        address: u32,
        /// The number of bits that all addresses have in common, 0 to 32.
        prefix: u8,
    },
    /// A network of IPv6.
    V6 {
        /// The first address.
        address: u128,
        /// The number of bits that all addresses have in common, 0 to 128.
        prefix: u8,
    },
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
    /// Parses a network in CIDR notation, or an address.
    ///
    /// Spellings with leading zeros, signs or zones are rejected.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(parse_prefix(prefix).ok_or(NetworkError::Prefix)?)),
            None => (text, None),
        };
        let network = match address.parse().map_err(|_| NetworkError::Address)? {
            IpAddr::V4(address) => Self::v4(address, prefix.unwrap_or(32)),
            IpAddr::V6(address) => {
                let prefix = prefix.unwrap_or(128);
                match (address.to_ipv4_mapped(), prefix.checked_sub(96)) {
                    (Some(address), Some(prefix)) => Self::v4(address, prefix),
                    _ => Self::v6(address, prefix),
                }
            }
        };
        let (network, is_first) = network.ok_or(NetworkError::Prefix)?;
        if is_first { Ok(network) } else { Err(NetworkError::HostBits(network)) }
    }

    /// Whether an address belongs to the network.
    pub fn contains(self, address: IpAddr) -> bool {
        let (is_v6, address) = match address.to_canonical() {
            IpAddr::V4(address) => (false, address.to_bits().into()),
            IpAddr::V6(address) => (true, address.to_bits()),
        };
        self.range(is_v6).is_some_and(|(first, last)| (first..=last).contains(&address))
    }

    /// Returns the first and the last address, if the network is one of IPv6 (`is_v6`) or of IPv4.
    pub(crate) fn range(self, is_v6: bool) -> Option<(u128, u128)> {
        match self {
            Self::V4 { address, prefix } if !is_v6 => {
                let host = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
                Some((address.into(), (address | host).into()))
            }
            Self::V6 { address, prefix } if is_v6 => {
                let host = u128::MAX.checked_shr(prefix.into()).unwrap_or(0);
                Some((address, address | host))
            }
            _ => None,
        }
    }

    /// Returns the network of an address, and whether the address is its first.
    fn v4(address: Ipv4Addr, prefix: u8) -> Option<(Self, bool)> {
        let host = 32_u8.checked_sub(prefix)?;
        let mask = u32::MAX.checked_shl(host.into()).unwrap_or(0);
        let first = address.to_bits() & mask;
        Some((Self::V4 { address: first, prefix }, first == address.to_bits()))
    }

    /// Does the same as [`Self::v4`] for IPv6.
    fn v6(address: Ipv6Addr, prefix: u8) -> Option<(Self, bool)> {
        let host = 128_u8.checked_sub(prefix)?;
        let mask = u128::MAX.checked_shl(host.into()).unwrap_or(0);
        let first = address.to_bits() & mask;
        Some((Self::V6 { address: first, prefix }, first == address.to_bits()))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4 { address, prefix } => write!(f, "{}/{prefix}", Ipv4Addr::from_bits(*address)),
            Self::V6 { address, prefix } => write!(f, "{}/{prefix}", Ipv6Addr::from_bits(*address)),
        }
    }
}

/// Parses an address of an event, with an optional zone (`fe80::1%eth0`).
pub(crate) fn parse_address(text: &str) -> Option<IpAddr> {
    text.split('%').next()?.parse().ok()
}

/// Parses a decimal without a sign or leading zeros, which the standard parser accepts.
fn parse_prefix(digits: &str) -> Option<u8> {
    let is_canonical = digits == "0" || !digits.starts_with(['0', '+']);
    digits.parse().ok().filter(|_| is_canonical)
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
