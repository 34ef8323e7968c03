//! Tags of chat templates that Jinja does not have.

/// The source with `{% generation %}`, which marks what an assistant said and prints nothing, as a condition that
/// always holds. Lines stay where they are.
pub(super) fn without_generation(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start + 2);
        out.push_str(before);
        rest = tag;
        let Some(end) = tag.find("%}") else { continue };
        let (inside, after) = tag.split_at(end);
        let name = inside.trim_matches(['-', '+']).trim();
        let instead = match name {
            "generation" => "if true",
            "endgeneration" => "endif",
            _ => continue,
        };
        out.push_str(&inside.replacen(name, instead, 1));
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tag_itself_is_replaced() {
        let source = "{% if x %}{%- generation -%}\nx{%endgeneration%} generation {% set generation = 1 %}{%";
        let expected =
            "{% if x %}{%- if true -%}\nx{%endif%} generation {% set generation = 1 %}{%";
        assert_eq!(without_generation(source), expected);
    }
}
