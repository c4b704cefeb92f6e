//! The rules as a program in VRL and as a script in Lua, as a user of each would write them.
//!
//! Conditions are tested in their order and only as long as they are true; blocks are evaluated where they are used. A
//! few texts are compared one by one. Many are a list in VRL, which has no sets, and a table in Lua.

use std::fmt::Write as _;

use super::rules::{BLOCKS, Field, RULES, Test};

/// How many texts are compared one by one.
const FEW: usize = 4;

/// Returns the program.
pub fn vrl() -> String {
    let mut text = String::from(
        r#"event = object!(parse_json!(.message))
principal = string(event.user.username) ?? ""
impersonated = string(event.impersonatedUser.username) ?? ""
verb = string(event.verb) ?? ""
uri = string(event.requestURI) ?? ""
resource = string(event.objectRef.resource) ?? ""
subresource = string(event.objectRef.subresource) ?? ""
namespace = string(event.objectRef.namespace) ?? ""
name = string(event.objectRef.name) ?? ""
agent = string(event.userAgent) ?? ""
address = string(event.sourceIPs[0]) ?? ""
code = int(event.responseStatus.code) ?? 0
succeeded = code >= 200 && code < 300 || code == 101
rules = []
"#,
    );
    for (name, tests) in RULES {
        let _ = writeln!(text, "if {} {{\n  rules = push(rules, \"{name}\")\n}}", all(tests, &vrl_test));
    }
    text + "if length(rules) == 0 {\n  abort\n}\nevent.rules = rules\n.message = encode_json(event)\n"
}

fn vrl_test(test: &Test) -> String {
    match test {
        Test::In(field, values) if values.len() > FEW => {
            format!("includes([{}], {})", quoted(values), variable(*field))
        }
        Test::In(field, values) => any(values, |value| format!("{} == \"{value}\"", variable(*field))),
        Test::Begins(field, values) => {
            any(values, |value| format!("starts_with({}, \"{value}\")", variable(*field)))
        }
        Test::NotIn(field, values) => format!("!({})", vrl_test(&Test::In(*field, values))),
        Test::NotBegins(field, values) => format!("!({})", vrl_test(&Test::Begins(*field, values))),
        Test::Code(code) => format!("code == {code}"),
        Test::Succeeded => "succeeded".to_owned(),
        Test::Block(name) => format!("({})", vrl_block(name)),
        Test::NotBlock(name) => format!("!({})", vrl_block(name)),
    }
}

fn vrl_block(name: &str) -> String {
    let (_, and, tests) = BLOCKS.iter().find(|block| block.0 == name).expect("a block of the table");
    if *and { all(tests, &vrl_test) } else { any(tests, vrl_test) }
}

/// Returns the script.
pub fn lua() -> String {
    let mut text = String::from(
        "local principal, impersonated, verb, uri, resource, subresource, namespace, name, agent, address, code, succeeded\n\
         local sub, empty = string.sub, {}\n",
    );
    let tests = BLOCKS.iter().flat_map(|block| block.2).chain(RULES.iter().flat_map(|rule| rule.1));
    for test in tests {
        if let Test::In(_, values) | Test::NotIn(_, values) = test
            && values.len() > FEW
        {
            let members: Vec<_> = values.iter().map(|value| format!("[\"{value}\"] = true")).collect();
            let _ = writeln!(text, "local {} = {{{}}}", set(values), members.join(", "));
        }
    }
    for (name, and, tests) in BLOCKS {
        let value = if *and { all(tests, &lua_test) } else { any(tests, lua_test) };
        let _ = writeln!(text, "local function {}()\n  return {value}\nend", function(name));
    }
    text.push_str(
        "function cb(tag, now, record)
  local user, object, status = record.user or empty, record.objectRef or empty, record.responseStatus or empty
  principal = user.username or ''
  impersonated = (record.impersonatedUser or empty).username or ''
  verb, uri, agent = record.verb or '', record.requestURI or '', record.userAgent or ''
  resource, subresource = object.resource or '', object.subresource or ''
  namespace, name = object.namespace or '', object.name or ''
  address = (record.sourceIPs or empty)[1] or ''
  code = status.code or 0
  succeeded = code >= 200 and code < 300 or code == 101
  local rules
",
    );
    for (name, tests) in RULES {
        let _ = writeln!(
            text,
            "  if {} then\n    rules = rules or {{}}\n    rules[#rules + 1] = '{name}'\n  end",
            all(tests, &lua_test)
        );
    }
    text.push_str(
        "  if not rules then\n    return -1\n  end\n  record.rules = rules\n  return 2, now, record\nend\n",
    );
    text.replace(" && ", " and ").replace(" || ", " or ")
}

fn lua_test(test: &Test) -> String {
    match test {
        Test::In(field, values) if values.len() > FEW => format!("{}[{}]", set(values), variable(*field)),
        Test::In(field, values) => any(values, |value| format!("{} == '{value}'", variable(*field))),
        Test::Begins(field, values) => {
            any(values, |value| format!("sub({}, 1, {}) == '{value}'", variable(*field), value.len()))
        }
        Test::NotIn(field, values) => format!("not ({})", lua_test(&Test::In(*field, values))),
        Test::NotBegins(field, values) => format!("not ({})", lua_test(&Test::Begins(*field, values))),
        Test::Code(code) => format!("code == {code}"),
        Test::Succeeded => "succeeded".to_owned(),
        Test::Block(name) => format!("{}()", function(name)),
        Test::NotBlock(name) => format!("not {}()", function(name)),
    }
}

/// Returns the name of a set, by its first text.
fn set(values: &[&str]) -> String {
    format!("set_{}", values[0].replace(|letter: char| !letter.is_ascii_alphanumeric(), "_"))
}

fn function(block: &str) -> String {
    format!("is_{}", block.replace('-', "_"))
}

fn variable(field: Field) -> &'static str {
    match field {
        Field::Principal => "principal",
        Field::Impersonated => "impersonated",
        Field::Verb => "verb",
        Field::Uri => "uri",
        Field::Resource => "resource",
        Field::Subresource => "subresource",
        Field::Namespace => "namespace",
        Field::Name => "name",
        Field::Agent => "agent",
        Field::Address => "address",
    }
}

fn quoted(values: &[&str]) -> String {
    values.iter().map(|value| format!("\"{value}\"")).collect::<Vec<_>>().join(", ")
}

fn all(tests: &[Test], of: &dyn Fn(&Test) -> String) -> String {
    tests.iter().map(of).collect::<Vec<_>>().join(" && ")
}

/// Returns a disjunction, in parentheses.
fn any<T>(items: &[T], of: impl Fn(&T) -> String) -> String {
    format!("({})", items.iter().map(of).collect::<Vec<_>>().join(" || "))
}
