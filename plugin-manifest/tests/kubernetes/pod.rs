//! A pod of a deployment, and what its paths are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kaudit_filter::config::FileLoader;
use serde_json::Value;

use crate::files::{at, list, word};

/// A pod, and the `ConfigMap`s beside it.
pub struct Pod<'a> {
    pub spec: &'a Value,
    pub claims: Vec<&'a str>,
    pub config_maps: BTreeMap<&'a str, &'a Value>,
}

/// The kind of a path in a container.
#[derive(Debug, PartialEq)]
pub enum Place {
    /// A text of a ConfigMap.
    Text(String),
    /// A ConfigMap's binary data, or a file that an init container copied.
    Binary,
    /// Writable, and outlives the pod or not.
    State,
    /// A mounted directory, with the files of its `ConfigMap`s.
    Directory(BTreeMap<String, Place>),
    /// A part of the image, or of the node.
    Other,
}

impl<'a> Pod<'a> {
    /// The one pod of a deployment.
    pub fn of(resources: &'a [Value]) -> Self {
        let mut workloads = resources.iter().filter(|resource| resource.pointer("/spec/template").is_some());
        let workload = workloads.next().expect("something runs pods");
        assert_eq!(workloads.next(), None);
        let config_maps = resources.iter().filter(|resource| resource["kind"] == "ConfigMap");
        Self {
            spec: at(workload, "/spec/template/spec"),
            claims: list(at(workload, "/spec/volumeClaimTemplates"))
                .map(|claim| word(at(claim, "/metadata/name")))
                .collect(),
            config_maps: config_maps.map(|map| (word(at(map, "/metadata/name")), map)).collect(),
        }
    }

    pub fn containers(&self) -> impl Iterator<Item = &'a Value> {
        list(at(self.spec, "/initContainers")).chain(list(at(self.spec, "/containers")))
    }

    /// The agent's container.
    pub fn agent(&self) -> &'a Value {
        at(self.spec, "/containers/0")
    }

    /// The volume of this name; `None`: a claim's.
    pub fn volume(&self, name: &str) -> Option<&'a Value> {
        let volume = list(at(self.spec, "/volumes")).find(|volume| volume["name"] == name);
        assert!(volume.is_some() || self.claims.contains(&name), "no volume `{name}`");
        volume
    }

    /// Returns the files in a volume of `ConfigMap`s, by name; `None`: another volume.
    pub fn files(&self, volume: &Value) -> Option<BTreeMap<String, Place>> {
        let sources: Vec<&Value> = match (&volume["configMap"], at(volume, "/projected/sources")) {
            (Value::Null, Value::Null) => return None,
            (Value::Null, sources) => list(sources).map(|source| &source["configMap"]).collect(),
            (source, _) => vec![source],
        };
        let mut files = BTreeMap::new();
        for source in sources {
            let name = word(&source["name"]);
            let map = self.config_maps.get(name).unwrap_or_else(|| panic!("no ConfigMap `{name}`"));
            let data = |key: &str| {
                let text = map["data"][key].as_str().map(|text| Place::Text(text.to_owned()));
                let found = text.or_else(|| map["binaryData"][key].as_str().map(|_| Place::Binary));
                found.unwrap_or_else(|| panic!("ConfigMap `{name}` has no key `{key}`"))
            };
            if source["items"].is_null() {
                let members = [&map["data"], &map["binaryData"]].into_iter().filter_map(Value::as_object);
                files.extend(members.flat_map(|map| map.keys()).map(|key| (key.clone(), data(key))));
            }
            files.extend(
                list(&source["items"]).map(|item| (word(&item["path"]).to_owned(), data(word(&item["key"])))),
            );
        }
        Some(files)
    }

    /// Returns the names of the files that init containers copy into a volume.
    pub fn copied(&self, volume: &str) -> Vec<&'a str> {
        let mut names = Vec::new();
        for init in list(at(self.spec, "/initContainers")) {
            let command: Vec<&str> = list(&init["command"]).map(word).collect();
            let ["cp", from @ .., to] = &command[..] else { panic!("{command:?}") };
            let mount =
                list(&init["volumeMounts"]).find(|mount| to.trim_end_matches('/') == mount["mountPath"]);
            if mount.unwrap_or_else(|| panic!("nothing is mounted at {to}"))["name"] == volume {
                names.extend(from.iter().filter_map(|path| path.strip_prefix('/')));
            }
        }
        names
    }

    /// Returns the kind of a path in the agent's container.
    pub fn look(&self, path: &str) -> Place {
        let mounts = list(at(self.agent(), "/volumeMounts"));
        let below = |mount: &&Value| Path::new(path).starts_with(word(&mount["mountPath"]));
        let Some(mount) = mounts.filter(below).max_by_key(|mount| word(&mount["mountPath"]).len()) else {
            assert!(!path.starts_with("/kaudit"), "nothing is mounted for {path}");
            return Place::Other;
        };
        let name = word(&mount["name"]);
        let rest = Path::new(path).strip_prefix(word(&mount["mountPath"])).unwrap().to_str().unwrap();
        let volume = self.volume(name);
        let files = volume.and_then(|volume| self.files(volume));
        if rest.is_empty() {
            return Place::Directory(files.unwrap_or_default());
        }
        if let Some(mut files) = files {
            // A default that the environment replaces may be another path.
            let missing = || assert!(!path.starts_with("/kaudit"), "{path}: `{name}` has no such file");
            return files.remove(rest).unwrap_or_else(|| {
                missing();
                Place::Other
            });
        }
        if volume.is_some_and(|volume| !volume["emptyDir"].is_null()) && mount["readOnly"] == true {
            assert!(self.copied(name).contains(&rest), "{path}: no init container copies it");
            return Place::Binary;
        }
        if volume.is_some_and(|volume| !volume["image"].is_null()) {
            return Place::Binary;
        }
        if mount["readOnly"] == true { Place::Other } else { Place::State }
    }

    /// Returns the Secret and its key with which the agent authenticates at Coralogix: a variable, or a mounted file.
    pub fn secret(&self) -> Option<(&'a str, &'a str)> {
        let variable = list(&self.agent()["env"]).find(|variable| variable["name"] == "CORALOGIX_KEY");
        let reference = variable.map(|variable| at(variable, "/valueFrom/secretKeyRef"));
        let of_variable = reference.map(|reference| (word(&reference["name"]), word(&reference["key"])));
        of_variable.or_else(|| {
            let secret = &self.volume("kaudit-secret")?["secret"];
            Some((word(&secret["secretName"]), word(at(secret, "/items/0/path"))))
        })
    }

    /// Returns every path that the agent's arguments and environment refer to, also through files that they name.
    pub fn reached(&self) -> BTreeMap<String, Place> {
        let words =
            list(&self.agent()["args"]).chain(list(&self.agent()["env"]).map(|variable| &variable["value"]));
        let mut texts: Vec<String> = words.map(|text| word(text).to_owned()).collect();
        let mut found = BTreeMap::new();
        while let Some(text) = texts.pop() {
            self.assert_variables(&text);
            for path in paths(&text) {
                if found.contains_key(&path) {
                    continue;
                }
                let place = self.look(&path);
                match &place {
                    Place::Text(text) => texts.push(text.clone()),
                    Place::Directory(files) => texts.extend(files.values().filter_map(Place::text)),
                    _ => {}
                }
                found.insert(path, place);
            }
        }
        found
    }

    /// Every `${NAME}` of a text is set, or has a default.
    pub fn assert_variables(&self, text: &str) {
        for rest in without_comments(text).split("${").skip(1) {
            let name = rest.split('}').next().unwrap_or_default();
            let given = list(&self.agent()["env"]).any(|variable| variable["name"] == name);
            assert!(given || name.contains(":-"), "`${{{name}}}` is not set");
        }
    }
}

impl Place {
    pub fn text(&self) -> Option<String> {
        if let Self::Text(text) = self { Some(text.clone()) } else { None }
    }
}

pub fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n")
}

/// Absolute paths in a text.
fn paths(text: &str) -> BTreeSet<String> {
    let text = without_comments(text);
    let words = text.split(|c: char| c.is_whitespace() || "\"'=,()[]{}".contains(c));
    let paths = words.filter(|word| word.starts_with('/') && word.len() > 1 && !word.starts_with("//"));
    paths.map(|path| path.trim_end_matches('/').to_owned()).collect()
}

/// The files beside a configuration, as they are mounted.
pub struct SiblingFiles<'a>(pub &'a BTreeMap<String, Place>);

impl FileLoader for SiblingFiles<'_> {
    fn load(&self, name: &str) -> Result<String, String> {
        match self.0.get(name) {
            Some(Place::Text(text)) => Ok(text.clone()),
            other => Err(format!("{other:?}")),
        }
    }
}
