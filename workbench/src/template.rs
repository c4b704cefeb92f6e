//! Templates with named holes.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value};

/// Renders a template. A hole without a value and a value without a hole are errors.
pub fn render(
    template: &str,
    values: impl IntoIterator<Item = (&'static str, Value)>,
) -> Result<String, String> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax =
        SyntaxConfig::builder().keep_trailing_newline(true).trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(|error| error.to_string())?);
    let template = environment.template_from_str(template).map_err(|error| error.to_string())?;
    let values: BTreeMap<&str, Value> = values.into_iter().collect();
    let holes = template.undeclared_variables(false);
    if let Some(unused) = values.keys().find(|name| !holes.contains(**name)) {
        return Err(format!("no hole in the template for the value `{unused}`"));
    }
    if let Some(missing) = holes.iter().find(|hole| !values.contains_key(hole.as_str())) {
        return Err(format!("no value for the hole `{missing}` of the template"));
    }
    template.render(Value::from_pairs(values)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hole_has_a_value_and_every_value_a_hole() {
        let render = |template, names: &[&'static str]| {
            render(template, names.iter().map(|name| (*name, Value::from("x"))))
        };
        assert_eq!(render("a: {b: {{ c }}}\n", &["c"]).unwrap(), "a: {b: x}\n");
        assert!(render("{{ c }}", &[]).unwrap_err().contains("no value for the hole `c`"));
        assert!(render("{% if false %}{{ c }}{% endif %}", &[]).unwrap_err().contains("`c`"));
        assert!(
            render("{{ c }}", &["c", "d"]).unwrap_err().contains("no hole in the template for the value `d`")
        );
        assert!(render("{{ c", &["c"]).is_err());
    }
}
