//! The modules of a crate, and which of them use what others define. Re-exports are followed to the definition, so a
//! `mod.rs` that only passes names on uses nothing. Unit tests are left out.
//!
//! Only names count: a method's call does not say where the method is defined.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, Meta, UseTree};

/// The path of a module from the root of its crate; the root's is empty.
pub(crate) type Module = Vec<String>;

/// Each module with the modules that it uses.
pub(crate) type Graph = BTreeMap<Module, BTreeSet<Module>>;

type Modules = BTreeMap<Module, Content>;

/// What a name of a module stands for.
enum Binding {
    Defined,
    Imported(Vec<String>),
}

#[derive(Default)]
struct Content {
    names: BTreeMap<String, Binding>,
    globs: Vec<Vec<String>>,
    /// All paths in its code.
    mentioned: BTreeSet<Vec<String>>,
}

/// The graph of the crate whose `lib.rs` is in `folder`.
pub(crate) fn of_crate(folder: &Path) -> Graph {
    let mut modules = Modules::new();
    read_file(&folder.join("lib.rs"), folder, &[], &mut modules);
    let used_by = |module: &Module, content: &Content| -> BTreeSet<Module> {
        let paths = content.mentioned.iter();
        let used = paths.filter_map(|path| defined_in(&modules, module, path, 0));
        used.filter(|used| used != module).collect()
    };
    modules
        .iter()
        .map(|(module, content)| (module.clone(), used_by(module, content)))
        .collect()
}

/// The modules right below the crate's root, each with those that it and the modules in it use.
pub(crate) fn top_level(graph: &Graph) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (module, used) in graph {
        if let Some(name) = module.first() {
            let names = used.iter().filter_map(|used| used.first()).map(String::as_str);
            let others = names.filter(|used| used != name);
            found.entry(name).or_default().extend(others);
        }
    }
    found
}

/// The sets of modules that all use each other, directly or through others of the set.
pub(crate) fn circles(graph: &Graph) -> BTreeSet<BTreeSet<Module>> {
    let reached: BTreeMap<&Module, BTreeSet<&Module>> = graph.keys().map(|from| (from, reached(graph, from))).collect();
    let circle = |module: &Module| -> BTreeSet<Module> {
        let others = reached[module].iter().copied();
        others
            .filter(|other| reached[other].contains(module))
            .cloned()
            .collect()
    };
    graph.keys().map(circle).filter(|circle| !circle.is_empty()).collect()
}

fn reached<'a>(graph: &'a Graph, from: &Module) -> BTreeSet<&'a Module> {
    let mut found = BTreeSet::new();
    let mut left: Vec<&Module> = graph[from].iter().collect();
    while let Some(module) = left.pop() {
        if found.insert(module) {
            left.extend(&graph[module]);
        }
    }
    found
}

/// Reads the module in `file`; the files of the modules in it are in `folder`.
fn read_file(file: &Path, folder: &Path, module: &[String], modules: &mut Modules) {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    read_items(&parsed.items, folder, module, modules);
}

fn read_items(items: &[Item], folder: &Path, module: &[String], modules: &mut Modules) {
    let mut content = Content::default();
    for item in items.iter().filter(|item| !is_test(item)) {
        match item {
            Item::Use(item) => bind(&item.tree, &mut vec![], &mut content),
            Item::Mod(item) => read_module(item, folder, module, modules),
            item => {
                if let Some(name) = name(item) {
                    content.names.insert(name, Binding::Defined);
                }
                Mentions(&mut content.mentioned).visit_item(item);
            }
        }
    }
    modules.insert(module.to_vec(), content);
}

fn read_module(item: &ItemMod, folder: &Path, parent: &[String], modules: &mut Modules) {
    let name = item.ident.to_string();
    let folder = folder.join(&name);
    let module = [parent, &[name]].concat();
    match &item.content {
        Some((_, items)) => read_items(items, &folder, &module, modules),
        None => {
            let alone = folder.with_extension("rs");
            let file = if alone.is_file() { alone } else { folder.join("mod.rs") };
            read_file(&file, &folder, &module, modules);
        }
    }
}

/// Whether an item is compiled only for unit tests.
fn is_test(item: &Item) -> bool {
    let attributes: &[Attribute] = match item {
        Item::Const(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    };
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    })
}

fn name(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

/// Notes the names that a `use` introduces.
fn bind(tree: &UseTree, path: &mut Vec<String>, content: &mut Content) {
    match tree {
        UseTree::Path(inner) => {
            path.push(inner.ident.to_string());
            bind(&inner.tree, path, content);
            path.pop();
        }
        UseTree::Name(name) => import(name.ident.to_string(), &name.ident.to_string(), path, content),
        UseTree::Rename(name) => import(name.rename.to_string(), &name.ident.to_string(), path, content),
        UseTree::Glob(_) => content.globs.push(path.clone()),
        UseTree::Group(group) => group.items.iter().for_each(|tree| bind(tree, path, content)),
    }
}

/// `use a::{self}` binds `a`.
fn import(bound: String, name: &str, path: &[String], content: &mut Content) {
    let (bound, target) = match (name, path.last()) {
        ("self", Some(last)) if bound == "self" => (last.clone(), path.to_vec()),
        ("self", _) => (bound, path.to_vec()),
        _ => (bound, [path, &[name.to_owned()]].concat()),
    };
    content.names.insert(bound, Binding::Imported(target));
}

/// Collects the paths in code, those in macros included.
struct Mentions<'a>(&'a mut BTreeSet<Vec<String>>);

impl Visit<'_> for Mentions<'_> {
    fn visit_path(&mut self, path: &syn::Path) {
        let segments = path.segments.iter().map(|segment| segment.ident.to_string());
        self.0.insert(segments.collect());
        visit::visit_path(self, path);
    }

    // `pub(super)` uses nothing of the parent.
    fn visit_visibility(&mut self, _: &syn::Visibility) {}

    fn visit_macro(&mut self, found: &syn::Macro) {
        visit::visit_macro(self, found);
        self.tokens(found.tokens.clone());
    }
}

impl Mentions<'_> {
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = vec![];
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.0.insert(std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                other => {
                    self.0.insert(std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.0.insert(path);
    }
}

/// The module that defines what a path in `module` names; `None` for what other crates define.
fn defined_in(modules: &Modules, module: &[String], path: &[String], depth: usize) -> Option<Module> {
    // Imports that name each other lead nowhere.
    if depth > 20 {
        return None;
    }
    let (first, rest) = path.split_first()?;
    let content = modules.get(module)?;
    let below = [module, std::slice::from_ref(first)].concat();
    match first.as_str() {
        "crate" => absolute(modules, &[], rest, depth),
        "self" => absolute(modules, module, rest, depth),
        "super" => absolute(modules, module.split_last()?.1, rest, depth),
        _ if modules.contains_key(&below) => absolute(modules, &below, rest, depth),
        name => match content.names.get(name) {
            Some(Binding::Defined) => Some(module.to_vec()),
            // A name imported from a crate of the same name.
            Some(Binding::Imported(target)) if target == path => None,
            Some(Binding::Imported(target)) => {
                defined_in(modules, module, &[target.as_slice(), rest].concat(), depth + 1)
            }
            None => {
                let mut globs = content.globs.iter();
                globs.find_map(|glob| defined_in(modules, module, &[glob.as_slice(), path].concat(), depth + 1))
            }
        },
    }
}

/// The same for a path that starts at `module`; an empty one names the module itself.
fn absolute(modules: &Modules, module: &[String], path: &[String], depth: usize) -> Option<Module> {
    match path {
        [] => Some(module.to_vec()),
        path => defined_in(modules, module, path, depth + 1),
    }
}

#[test]
fn re_exports_lead_to_the_definition_and_circles_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("lib.rs", "mod above; mod below;"),
        (
            "above.rs",
            "use crate::below::Number; fn twice(of: Number) { println!(\"{}\", crate::below::TWO) }",
        ),
        (
            "below/mod.rs",
            "mod number; mod two; pub use number::Number; pub use two::TWO;",
        ),
        ("below/number.rs", "pub struct Number; fn two() -> u8 { super::TWO }"),
        (
            "below/two.rs",
            "use super::number; pub const TWO: u8 = 2; fn of(_: number::Number) {} #[cfg(test)] mod tests { fn a(_: crate::above::X) {} }",
        ),
    ];
    fs::create_dir(folder.path().join("below")).unwrap();
    for (file, text) in files {
        fs::write(folder.path().join(file), text).unwrap();
    }
    let graph = of_crate(folder.path());
    let module = |path: &[&str]| -> Module { path.iter().map(ToString::to_string).collect() };
    let (number, two) = (module(&["below", "number"]), module(&["below", "two"]));
    let both = BTreeSet::from([number, two]);
    assert_eq!(graph[&module(&["above"])], both);
    assert_eq!(graph[&module(&["below"])], BTreeSet::new());
    assert_eq!(circles(&graph), BTreeSet::from([both]));
    let expected = BTreeMap::from([("above", BTreeSet::from(["below"])), ("below", BTreeSet::new())]);
    assert_eq!(top_level(&graph), expected);
}
