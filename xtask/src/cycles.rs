//! `cargo xtask cycles`: finds import cycles between the source files of each crate.
//!
//! A file imports the file that defines an item if it names the item, in a `use` or in any other path. A re-export is
//! followed to the definition. Declaring a module and re-exporting its items is no import, so a parent may use its
//! children if they do not use it, or the reverse. Tests within a file (`#[cfg(test)]`) and calls of methods, which name
//! no path, do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use serde_json::Value;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Meta, UseTree, Visibility};

use crate::shell::{Done, cargo, read, root};

/// The workspaces of the repository whose crates are checked.
const WORKSPACES: [&str; 4] = [".", "drivers/vector", "drivers/wasm", "benches/peers"];

/// Prints every cycle, and fails if there is one.
pub fn run(_: &[String]) -> Done {
    let (mut files, mut cycles) = (0, 0);
    for crate_root in crate_roots()? {
        let graph = Graph::load(&crate_root, &|file| fs::read_to_string(file).ok())?;
        files += graph.files.len();
        for cycle in graph.cycles() {
            cycles += 1;
            println!("import cycle:");
            for (from, to, name) in graph.edges_within(&cycle) {
                println!("  {} imports {} (`{name}`)", relative(from), relative(to));
            }
        }
    }
    if cycles > 0 {
        return Err(format!("{cycles} import cycles; move the common items into a file that all may import"));
    }
    println!("no import cycles in {files} files");
    Ok(())
}

fn relative(file: &Path) -> String {
    let root = root().canonicalize().unwrap_or_else(|_| root());
    file.strip_prefix(root).unwrap_or(file).display().to_string()
}

/// Returns the root files of all targets.
fn crate_roots() -> Done<BTreeSet<PathBuf>> {
    let mut roots = BTreeSet::new();
    for workspace in WORKSPACES {
        let manifest = format!("{workspace}/Cargo.toml");
        let arguments = ["metadata", "--no-deps", "--format-version", "1", "--manifest-path", &manifest];
        let output = read(&mut cargo(&arguments))?;
        let metadata: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("cannot read cargo's metadata: {error}"))?;
        for package in metadata["packages"].as_array().into_iter().flatten() {
            for target in package["targets"].as_array().into_iter().flatten() {
                roots.extend(target["src_path"].as_str().map(PathBuf::from));
            }
        }
    }
    Ok(roots)
}

/// The path of a module or an item from the crate's root.
type ItemPath = Vec<String>;

/// The modules of a crate.
#[derive(Default)]
struct Graph {
    files: Vec<PathBuf>,
    modules: BTreeMap<ItemPath, Module>,
    /// The names by which a file names items of another file.
    edges: BTreeMap<(usize, usize), String>,
}

/// A module: a file, or a block within one.
#[derive(Default)]
struct Module {
    file: usize,
    /// The items that it defines.
    items: BTreeSet<String>,
    /// The names that it imports, with their paths.
    imports: BTreeMap<String, ItemPath>,
    /// The modules of which it imports everything.
    globs: Vec<ItemPath>,
}

impl Graph {
    /// Reads a crate, beginning with its root file.
    fn load(crate_root: &Path, read: &dyn Fn(&Path) -> Option<String>) -> Done<Self> {
        let mut graph = Self::default();
        let mut pending = vec![(crate_root.to_owned(), Vec::new(), crate_root.parent().map(Path::to_owned))];
        let mut parsed = Vec::new();
        while let Some((path, module, folder)) = pending.pop() {
            let text = read(&path).ok_or_else(|| format!("cannot read `{}`", path.display()))?;
            let syntax = syn::parse_file(&text).map_err(|error| format!("{}: {error}", path.display()))?;
            let file = graph.files.len();
            graph.files.push(path);
            graph.declare(file, &module, &syntax.items, &folder.unwrap_or_default(), read, &mut pending)?;
            parsed.push((file, module, syntax));
        }
        for (file, module, syntax) in parsed {
            let mut names = Names { graph: &graph, module, found: Vec::new() };
            names.visit_file(&syntax);
            for path in names.found {
                if let Some(target) = graph.defining_file(&path, 0).filter(|target| *target != file) {
                    graph.edges.entry((file, target)).or_insert_with(|| path.join("::"));
                }
            }
        }
        Ok(graph)
    }

    /// Adds a module's names, and the files of its children to `pending`.
    fn declare(
        &mut self,
        file: usize,
        module: &ItemPath,
        items: &[Item],
        folder: &Path,
        read: &dyn Fn(&Path) -> Option<String>,
        pending: &mut Vec<(PathBuf, ItemPath, Option<PathBuf>)>,
    ) -> Done {
        let mut declared = Module { file, ..Module::default() };
        for item in items.iter().filter(|item| !is_test(attributes(item))) {
            match item {
                Item::Mod(ItemMod { ident, content, attrs, .. }) => {
                    let (name, child) = (ident.to_string(), join(module, ident));
                    let inner = folder.join(&name);
                    if let Some((_, items)) = content {
                        self.declare(file, &child, items, &inner, read, pending)?;
                        continue;
                    }
                    let path = path_attribute(attrs).map(|path| folder.join(path)).into_iter();
                    let mut candidates = path.chain([inner.with_extension("rs"), inner.join("mod.rs")]);
                    let path = candidates
                        .find(|path| read(path).is_some())
                        .ok_or_else(|| format!("no file of the module `{}`", child.join("::")))?;
                    pending.push((path, child, Some(inner)));
                }
                Item::Use(ItemUse { tree, .. }) => {
                    for (name, path) in leaves(tree) {
                        match name {
                            Some(name) => _ = declared.imports.insert(name, path),
                            None => declared.globs.push(path),
                        }
                    }
                }
                item => declared.items.extend(defined_name(item)),
            }
        }
        self.modules.insert(module.clone(), declared);
        Ok(())
    }

    /// Returns the path from the root of a path that a module contains; `None` for a path into another crate.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<ItemPath> {
        self.without_globs(module, path).or_else(|| {
            let declared = self.modules.get(module)?;
            let globs = declared.globs.iter().filter_map(|glob| self.without_globs(module, glob));
            let first = path.first()?;
            globs.into_iter().find(|glob| self.defines(glob, first)).map(|glob| [&glob, path].concat())
        })
    }

    /// Does the same, except for names that are imported by `use …::*`.
    fn without_globs(&self, module: &[String], path: &[String]) -> Option<ItemPath> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([module, rest].concat()),
            "super" => {
                let parent = module.get(..module.len().checked_sub(1)?)?;
                let is_further = rest.first().is_some_and(|next| next == "super");
                if is_further { self.without_globs(parent, rest) } else { Some([parent, rest].concat()) }
            }
            _ => {
                let is_child = self.modules.contains_key(&join(module, first));
                (is_child || self.defines(module, first)).then(|| [module, path].concat())
            }
        }
    }

    fn defines(&self, module: &[String], name: &String) -> bool {
        self.modules
            .get(module)
            .is_some_and(|module| module.items.contains(name) || module.imports.contains_key(name))
    }

    /// Returns the file that defines an item, following re-exports; `None` for a module, which is no item.
    fn defining_file(&self, path: &[String], depth: usize) -> Option<usize> {
        let length = (0..=path.len()).rev().find(|length| self.modules.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(length);
        let declared = self.modules.get(module)?;
        let (first, further) = rest.split_first()?;
        // An import may lead back to itself where another crate is named like an item: `use job::job`.
        if !declared.items.contains(first) && depth < 16 {
            if let Some(import) = declared.imports.get(first) {
                let import = self.without_globs(module, import)?;
                return self.defining_file(&[&import, further].concat(), depth + 1);
            }
            let mut globs = declared.globs.iter().filter_map(|glob| self.without_globs(module, glob));
            if let Some(glob) = globs.find(|glob| self.defines(glob, first)) {
                return self.defining_file(&[&glob, rest].concat(), depth + 1);
            }
        }
        Some(declared.file)
    }

    /// Returns the files of each cycle.
    fn cycles(&self) -> Vec<BTreeSet<usize>> {
        let reachable: Vec<BTreeSet<usize>> =
            (0..self.files.len()).map(|file| self.reachable(file)).collect();
        let mut cycles = BTreeSet::new();
        for (file, targets) in reachable.iter().enumerate().filter(|(file, targets)| targets.contains(file)) {
            cycles
                .insert(targets.iter().copied().filter(|&other| reachable[other].contains(&file)).collect());
        }
        cycles.into_iter().collect()
    }

    fn reachable(&self, file: usize) -> BTreeSet<usize> {
        let (mut found, mut pending) = (BTreeSet::new(), vec![file]);
        while let Some(from) = pending.pop() {
            let targets = self.edges.range((from, 0)..=(from, usize::MAX)).map(|((_, to), _)| *to);
            pending.extend(targets.filter(|to| found.insert(*to)));
        }
        found
    }

    fn edges_within(&self, cycle: &BTreeSet<usize>) -> impl Iterator<Item = (&Path, &Path, &str)> {
        let within = self.edges.iter().filter(|((from, to), _)| cycle.contains(from) && cycle.contains(to));
        within.map(|((from, to), name)| (&*self.files[*from], &*self.files[*to], name.as_str()))
    }
}

/// The paths that a file contains, from the crate's root.
struct Names<'g> {
    graph: &'g Graph,
    /// The module that is being visited.
    module: ItemPath,
    found: Vec<ItemPath>,
}

impl Names<'_> {
    fn add(&mut self, path: &[String]) {
        self.found.extend(self.graph.absolute(&self.module, path));
    }

    /// Adds the paths in the arguments of a macro, whose grammar is unknown.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        let mut is_member = false;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end(&mut path, is_member);
                        is_member = false;
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.end(&mut path, is_member);
                    colons = 0;
                    is_member = matches!(&other, TokenTree::Punct(punct) if punct.as_char() == '.');
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.end(&mut path, is_member);
    }

    fn end(&mut self, path: &mut Vec<String>, is_member: bool) {
        if !is_member {
            self.add(path);
        }
        path.clear();
    }
}

impl<'s> Visit<'s> for Names<'_> {
    fn visit_item(&mut self, item: &'s Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, module: &'s ItemMod) {
        self.module.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, import: &'s ItemUse) {
        for (name, path) in leaves(&import.tree) {
            let Some(path) = self.graph.absolute(&self.module, &path) else { continue };
            let is_own = path.len() > self.module.len() + 1 && path.starts_with(&self.module);
            let is_reexport = !matches!(import.vis, Visibility::Inherited) && is_own;
            if is_reexport {
                continue;
            }
            // Of a module, only the items that are named count. All of them may be if everything is imported.
            self.found.push(if name.is_none() { join(&path, &"*") } else { path });
        }
    }

    fn visit_path(&mut self, path: &'s syn::Path) {
        if path.leading_colon.is_none() {
            self.add(&path.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'s syn::Macro) {
        self.tokens(called.tokens.clone());
    }

    fn visit_visibility(&mut self, _: &'s Visibility) {}

    fn visit_attribute(&mut self, _: &'s Attribute) {}
}

/// Returns the names that a `use` binds, `None` for all, each with its path.
fn leaves(tree: &UseTree) -> Vec<(Option<String>, ItemPath)> {
    match tree {
        UseTree::Path(path) => {
            let mut inner = leaves(&path.tree);
            for (_, rest) in &mut inner {
                if rest.first().is_some_and(|name| name == "self") {
                    rest.remove(0);
                }
                rest.insert(0, path.ident.to_string());
            }
            for (name, path) in &mut inner {
                if name.as_deref() == Some("self") {
                    *name = path.last().cloned();
                }
            }
            inner
        }
        UseTree::Name(name) => vec![(Some(name.ident.to_string()), vec![name.ident.to_string()])],
        UseTree::Rename(name) => vec![(Some(name.rename.to_string()), vec![name.ident.to_string()])],
        UseTree::Glob(_) => vec![(None, Vec::new())],
        UseTree::Group(group) => group.items.iter().flat_map(leaves).collect(),
    }
}

fn join(path: &[String], name: &impl ToString) -> ItemPath {
    [path, &[name.to_string()]].concat()
}

fn defined_name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Returns whether an item exists only in tests: `#[cfg(test)]`, `#[cfg(all(test, …))]`.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let Meta::List(list) = &attribute.meta else { return false };
        let conditions = Punctuated::<Meta, syn::Token![,]>::parse_terminated;
        let is_test = |meta: &Meta| meta.path().is_ident("test");
        let Ok(outer) = list.parse_args_with(conditions) else { return false };
        list.path.is_ident("cfg")
            && outer.iter().any(|condition| match condition {
                Meta::List(all) if all.path.is_ident("all") => {
                    all.parse_args_with(conditions).is_ok_and(|all| all.iter().any(is_test))
                }
                condition => is_test(condition),
            })
    })
}

/// Returns the file of `#[path = "…"]`.
fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(value) if value.path.is_ident("path") => match &value.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the cycles of a crate, each as the names of its files.
    fn cycles(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let read = |path: &Path| {
            let found = files.iter().find(|(name, _)| Path::new("src").join(name) == path);
            found.map(|(_, text)| (*text).to_owned())
        };
        let graph = Graph::load(Path::new("src/lib.rs"), &read).unwrap();
        let name = |file: usize| graph.files[file].strip_prefix("src").unwrap().display().to_string();
        let cycle = |cycle: BTreeSet<usize>| {
            let mut names: Vec<String> = cycle.into_iter().map(name).collect();
            names.sort();
            names
        };
        graph.cycles().into_iter().map(cycle).collect()
    }

    #[test]
    fn files_that_name_each_other_are_a_cycle() {
        let lib = ("lib.rs", "mod a; mod b; mod c;");
        let a = ("a.rs", "use crate::b::B; pub struct A;");
        let c = ("c.rs", "pub fn c(_: crate::a::A) {}");
        for b in [
            "pub struct B; use super::a::A;",
            "pub struct B; fn f(_: crate::a::A) {}",
            "pub struct B; use crate::a; fn f(_: a::A) {}",
            "pub struct B; use crate::{a::{self as other}}; impl From<other::A> for B {}",
            "pub struct B; fn f() { println!(\"{}\", crate::a::A) }",
            "pub struct B; fn f() { use crate::a::*; }",
            "pub struct B; mod inner { use super::super::a::A; }",
        ] {
            assert_eq!(cycles(&[lib, a, ("b.rs", b), c]), [["a.rs", "b.rs"]], "{b}");
        }
        let through_c =
            [lib, ("a.rs", "use crate::b::f; pub struct A;"), ("b.rs", "pub fn f() { crate::c::c() }"), c];
        assert_eq!(cycles(&through_c), [["a.rs", "b.rs", "c.rs"]]);
    }

    #[test]
    fn a_name_counts_for_the_file_that_defines_it() {
        let lib = ("lib.rs", "mod a; mod b; pub use a::A; pub(crate) use b::B;");
        let b = ("b.rs", "pub struct B;");
        assert_eq!(cycles(&[lib, ("a.rs", "use crate::B; pub struct A;"), b]), Vec::<Vec<String>>::new());
        // Through a chain of re-exports, and a glob.
        let lib = ("lib.rs", "mod a; mod b; pub use b::*;");
        let a = ("a.rs", "use crate::B; pub struct A;");
        assert_eq!(cycles(&[lib, a, ("b.rs", "pub struct B(crate::a::A);")]), [["a.rs", "b.rs"]]);
    }

    #[test]
    fn a_parent_may_use_its_children_or_the_reverse() {
        let lib = ("lib.rs", "mod a;");
        let child = "pub struct Child;";
        for (parent, child, expected) in [
            ("mod child; pub use child::Child;", "pub struct Child;", false),
            ("mod child; use child::Child; pub struct Parent(Child);", child, false),
            (
                "mod child; pub use child::Child; pub struct Parent;",
                "pub struct Child(super::Parent);",
                false,
            ),
            ("mod child; use child::Child; pub struct Parent;", "pub struct Child(super::Parent);", true),
            (
                "mod child; pub use child::Child; pub struct Parent(Child);",
                "pub struct Child(super::Parent);",
                true,
            ),
            ("mod child; pub struct Parent; fn f() { child::f() }", "use super::*; pub fn f() {}", true),
        ] {
            let files = [lib, ("a.rs", parent), ("a/child.rs", child)];
            assert_eq!(!cycles(&files).is_empty(), expected, "{parent} {child}");
        }
    }

    #[test]
    fn tests_methods_and_other_crates_do_not_count() {
        let lib = ("lib.rs", "mod a; mod b; #[cfg(test)] mod tests;");
        let a = ("a.rs", "use crate::b::B; pub struct A; impl A { pub fn json(&self, _: B) {} }");
        for b in [
            "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }",
            "pub struct B; #[cfg(all(test, feature = \"x\"))] use crate::a::A;",
            "pub struct B; fn f(a: &u8) { a.json(B) }",
            "pub struct B; use other::a::A; use std::a; fn f(_: A, _: a::A) {}",
        ] {
            assert_eq!(cycles(&[lib, a, ("b.rs", b)]), Vec::<Vec<String>>::new(), "{b}");
        }
    }
}
