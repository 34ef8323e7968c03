//! What others compute, which tests hold ours to: made anew with the real programs.

use std::fs;

use crate::setup;
use crate::shell::{self, Outcome};

/// A reference: its environment, the packages in it, the script that prints it, and where it is kept.
const REFERENCES: [(&str, &[&str], &str, &str); 6] = [
    (
        "pycanon",
        &["pycanon==1.3.6", "pandas==2.3.3", "numpy==2.0.2"],
        "bench/parity/kept.py",
        "crates/nearside-privacy/tests/pycanon.jsonl",
    ),
    (
        "dp-accounting",
        &["dp-accounting==0.6.0", "numpy==2.4.6", "scipy==1.17.1"],
        "bench/parity/accountant.py",
        "crates/nearside-privacy/tests/accountant.jsonl",
    ),
    (
        "ggml",
        &["pywhispercpp==1.5.1", "numpy==2.4.6"],
        "bench/parity/blocks.py",
        "crates/nearside-models/tests/blocks.jsonl",
    ),
    (
        "text",
        &[
            "transformers==5.24.0",
            "tokenizers==0.23.3",
            "jinja2==3.1.6",
            "sentencepiece==0.2.3",
            "gguf==0.19.0",
        ],
        "bench/parity/text.py",
        "crates/nearside-models/tests/text.jsonl",
    ),
    // 7 GB: a wheel of PyTorch brings what graphics cards need, though none is used.
    (
        "transformers",
        &[
            "torch==2.9.1",
            "transformers==5.23.0",
            "peft==0.21.2",
            "safetensors==0.8.0",
            "numpy==2.4.6",
        ],
        "bench/parity/decoders.py",
        "crates/nearside-models/tests/decoders.jsonl",
    ),
    // In the environment of the one before it, whose models it changes.
    (
        "transformers",
        &[],
        "bench/parity/adapters.py",
        "crates/nearside-models/tests/adapters.jsonl",
    ),
];

/// Writes every reference anew.
pub(crate) fn write() -> Outcome {
    for (name, packages, script, file) in REFERENCES {
        println!("==> {file}, by {}", packages.join(" "));
        let environment = format!("target/engines/{name}");
        if !shell::installed(&format!("{environment}/bin/python")) {
            setup::install_in(&environment, packages)?;
        }
        let printed =
            shell::output(shell::program(&format!("{environment}/bin/python")).arg(script))?;
        let path = shell::root().join(file);
        let same = fs::read_to_string(&path).is_ok_and(|kept| kept == printed);
        fs::write(&path, printed).map_err(|error| format!("cannot write {file}: {error}"))?;
        println!("    {}", if same { "as it was" } else { "changed" });
    }
    Ok(())
}
