//! Nodes of YAML.

use saphyr::{LoadableYamlNode as _, MarkedYaml, Scalar, YamlData};

/// A YAML node with its position.
pub type Node<'s> = MarkedYaml<'s>;

/// Returns the root of a YAML file, if it is a map.
pub fn root(text: &str) -> Option<Node<'_>> {
    let root = Node::load_from_str(text).ok()?.into_iter().next()?;
    matches!(root.data, YamlData::Mapping(_)).then_some(root)
}

/// Returns a member of a map.
pub fn member<'n, 's>(node: &'n Node<'s>, key: &str) -> Option<&'n Node<'s>> {
    members(node).find(|(name, _)| *name == key).map(|(_, value)| value)
}

/// Returns the members of a map.
pub fn members<'n, 's>(node: &'n Node<'s>) -> impl Iterator<Item = (&'n str, &'n Node<'s>)> {
    let map = match &node.data {
        YamlData::Mapping(map) => Some(map),
        _ => None,
    };
    map.into_iter().flatten().filter_map(|(key, value)| Some((key.data.as_str()?, value)))
}

/// Returns the items of a list.
pub fn items<'n, 's>(node: &'n Node<'s>) -> &'n [Node<'s>] {
    match &node.data {
        YamlData::Sequence(items) => items,
        _ => &[],
    }
}

/// Returns a scalar as text.
pub fn plain(node: &Node<'_>) -> Option<String> {
    match &node.data {
        YamlData::Value(Scalar::String(text)) | YamlData::Representation(text, ..) => Some(text.to_string()),
        YamlData::Value(Scalar::Boolean(value)) => Some(value.to_string()),
        YamlData::Value(Scalar::Integer(value)) => Some(value.to_string()),
        _ => None,
    }
}
