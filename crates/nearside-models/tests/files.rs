//! Files of models, read back by the readers of this project and by those of others.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]
#![allow(clippy::print_stdout, reason = "a test says why it does not run")]

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use nearside_architecture::Dtype;
use nearside_architecture::header::gguf::{self, Elements, Value};
use nearside_architecture::header::safetensors;
use nearside_models::block::quantize;
use nearside_models::file::{
    MetadataArray, MetadataValue, TensorInfo, WriteError, metadata, write_gguf, write_gguf_file,
    write_safetensors, write_safetensors_file,
};

fn tensor(name: &str, dtype: Dtype, shape: &[u64]) -> TensorInfo {
    TensorInfo { name: name.to_owned(), dtype, shape: shape.to_vec() }
}

/// A key of every type, and arrays of every type.
fn pairs() -> Vec<(String, MetadataValue)> {
    use MetadataValue as V;
    let words = ["<s>", "ein", "▁Haus", ""].map(str::to_owned).to_vec();
    let pair = |key: &str, value| (key.to_owned(), value);
    vec![
        pair("general.architecture", V::Text("llama".to_owned())),
        pair("a.u8", V::U8(200)),
        pair("a.i8", V::I8(-100)),
        pair("a.u16", V::U16(60_000)),
        pair("a.i16", V::I16(-30_000)),
        pair("a.u32", V::U32(4_000_000_000)),
        pair("a.i32", V::I32(-2_000_000_000)),
        pair("a.f32", V::F32(1.5)),
        pair("a.bool", V::Bool(true)),
        pair("a.u64", V::U64(u64::MAX)),
        pair("a.i64", V::I64(i64::MIN)),
        pair("a.f64", V::F64(-0.1)),
        pair("l.u8", V::Array(MetadataArray::U8(vec![1, 255]))),
        pair("l.i8", V::Array(MetadataArray::I8(vec![-1, 1]))),
        pair("l.u16", V::Array(MetadataArray::U16(vec![1, 65_535]))),
        pair("l.i16", V::Array(MetadataArray::I16(vec![-1, 1]))),
        pair("l.u32", V::Array(MetadataArray::U32(vec![1, u32::MAX]))),
        pair("l.i32", V::Array(MetadataArray::I32(vec![-1, 3]))),
        pair("l.f32", V::Array(MetadataArray::F32(vec![-1.0, 0.5]))),
        pair("l.bool", V::Array(MetadataArray::Bool(vec![true, false]))),
        pair("tokenizer.ggml.tokens", V::Array(MetadataArray::Text(words))),
        pair("l.u64", V::Array(MetadataArray::U64(vec![u64::MAX]))),
        pair("l.i64", V::Array(MetadataArray::I64(vec![i64::MIN]))),
        pair("l.f64", V::Array(MetadataArray::F64(vec![0.1]))),
        pair("l.none", V::Array(MetadataArray::U32(vec![]))),
    ]
}

/// An array of arrays, which not every reader takes.
fn nested() -> (String, MetadataValue) {
    let rows = [vec![1, 2], vec![]].map(MetadataArray::U32).to_vec();
    ("l.l".to_owned(), MetadataValue::Array(MetadataArray::Array(rows)))
}

fn tensors() -> Vec<TensorInfo> {
    vec![
        tensor("token_embd.weight", Dtype::Q8_0, &[3, 64]),
        tensor("blk.0.attn_q.weight", Dtype::Q4K, &[2, 256]),
        tensor("blk.0.attn_norm.weight", Dtype::F32, &[5]),
        tensor("blk.0.ffn_gate_exps.weight", Dtype::F16, &[2, 3, 4]),
        tensor("rope_freqs.weight", Dtype::F32, &[1]),
    ]
}

/// Numbers of a tensor, and the same as stored.
fn made(tensor: &TensorInfo) -> (Vec<f32>, Vec<u8>) {
    let elements = tensor.shape.iter().product::<u64>() as usize;
    let values: Vec<f32> = (0..elements).map(|i| (i as f32 * 0.37).sin()).collect();
    let row = *tensor.shape.last().unwrap() as usize;
    let bytes = quantize(tensor.dtype, &values, None, row).unwrap();
    (values, bytes)
}

/// Writes its bytes in pieces.
fn in_pieces(bytes: &[u8], out: &mut dyn Write) -> Result<(), WriteError> {
    bytes.chunks(7).try_for_each(|piece| out.write_all(piece)).map_err(WriteError::from)
}

fn gguf_file(pairs: &[(String, MetadataValue)]) -> Vec<u8> {
    let tensors = tensors();
    let mut file = Vec::new();
    let write = |index: usize, out: &mut dyn Write| in_pieces(&made(&tensors[index]).1, out);
    let length = write_gguf(&mut file, pairs, &tensors, write).unwrap();
    assert_eq!(length, file.len() as u64);
    file
}

#[test]
fn what_is_written_as_gguf_reads_back_equal() {
    for alignment in [None, Some(64)] {
        let mut pairs = pairs();
        pairs.push(nested());
        let named = alignment.map(MetadataValue::U32);
        pairs.extend(named.map(|bytes| ("general.alignment".to_owned(), bytes)));
        let file = gguf_file(&pairs);
        let header = gguf::parse(&file, Some(file.len() as u64)).unwrap();
        assert_eq!(header.version, 3);
        assert!(header.header_length.is_multiple_of(u64::from(alignment.unwrap_or(32))));
        assert_eq!(metadata(&header, &file).unwrap(), pairs);
        assert_eq!(metadata(&header, &file[..300]), None);
        let words = header.values["tokenizer.ggml.tokens"].elements(&file).unwrap();
        let expected = ["<s>", "ein", "▁Haus", ""].map(str::to_owned).to_vec();
        assert_eq!(words, Elements::Texts(expected));
        assert_eq!(header.values["a.i64"].value, Value::Signed(i64::MIN));
        assert_eq!(header.tensors.len(), tensors().len());
        for tensor in tensors() {
            let read = &header.tensors[&tensor.name];
            let inner_first: Vec<u64> = tensor.shape.iter().rev().copied().collect();
            assert_eq!((read.dtype, &read.dimensions), (tensor.dtype, &inner_first));
            let begin = (header.header_length + read.offset) as usize;
            let bytes = made(&tensor).1;
            assert_eq!(&file[begin..begin + bytes.len()], bytes);
        }
    }
}

#[test]
fn every_type_of_gguf_has_its_number() {
    for dtype in Dtype::all() {
        let Some(number) = gguf::number_of(dtype) else { continue };
        let (elements, size) = dtype.block();
        let tensors = [tensor("a", dtype, &[elements])];
        let mut file = Vec::new();
        let zeros = |_: usize, out: &mut dyn Write| in_pieces(&vec![0; size as usize], out);
        write_gguf(&mut file, &[], &tensors, zeros).unwrap();
        let header = gguf::parse(&file, Some(file.len() as u64)).unwrap();
        assert_eq!(header.tensors["a"].dtype, dtype, "{number}");
    }
}

/// The message of a file that is not written.
fn refused(pairs: &[(&str, MetadataValue)], tensors: &[TensorInfo], given: usize) -> String {
    let pairs: Vec<_> =
        pairs.iter().map(|(key, value)| (String::from(*key), value.clone())).collect();
    let data = |_: usize, out: &mut dyn Write| in_pieces(&vec![1; given], out);
    write_gguf(&mut Vec::new(), &pairs, tensors, data).unwrap_err().to_string()
}

#[test]
fn what_is_no_gguf_file_is_told() {
    let one = [tensor("a", Dtype::F32, &[8])];
    assert_eq!(refused(&[], &one, 31), "the data of tensor \"a\" has 31 bytes, its shape needs 32");
    assert_eq!(refused(&[], &one, 33), "the data of tensor \"a\" has 33 bytes, its shape needs 32");
    assert!(refused(&[], &[one[0].clone(), one[0].clone()], 32).contains("\"a\" is there twice"));
    assert!(refused(&[], &[tensor("", Dtype::F32, &[8])], 32).contains("1 to 65535"));
    assert!(
        refused(&[], &[tensor("a", Dtype::Q4_0, &[32, 8])], 0).contains("no whole number of q4_0")
    );
    assert!(
        refused(&[], &[tensor("a", Dtype::F32, &[1 << 40, 1 << 40])], 0)
            .contains("no whole number")
    );
    assert!(refused(&[], &[tensor("a", Dtype::F32, &[1; 5])], 4).contains("at most 4"));
    assert!(
        refused(&[], &[tensor("a", Dtype::Nf4, &[64])], 36)
            .contains("GGUF files are not written with")
    );
    let flag = || MetadataValue::Bool(true);
    assert!(refused(&[("k", flag()), ("k", flag())], &one, 32).contains("\"k\" is there twice"));
    let odd = [("general.alignment", MetadataValue::U32(48))];
    assert!(refused(&odd, &one, 32).contains("U32(48), it should be"));
}

#[test]
fn a_file_that_cannot_be_finished_is_not_there() {
    let folder = temporary("unfinished");
    let path = folder.join("model.gguf");
    let one = [tensor("a", Dtype::F32, &[8])];
    let fails = |_: usize, _: &mut dyn Write| Err(WriteError::from(io::Error::other("no data")));
    assert!(write_gguf_file(&path, &[], &one, fails).unwrap_err().to_string().contains("no data"));
    assert!(write_safetensors_file(&path, &BTreeMap::new(), &one, fails).is_err());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    std::fs::remove_dir_all(folder).unwrap();
}

fn safetensors_tensors() -> Vec<TensorInfo> {
    vec![
        tensor("b.half", Dtype::F16, &[3, 5]),
        tensor("a \"quoted\" \u{1}", Dtype::F32, &[2, 3]),
        tensor("scalar", Dtype::F32, &[]),
        tensor("a.half", Dtype::Bf16, &[7]),
        tensor("empty", Dtype::F32, &[0, 4]),
    ]
}

/// Bytes that tell one tensor from the other.
fn numbered(index: usize, tensors: &[TensorInfo], out: &mut dyn Write) -> Result<(), WriteError> {
    in_pieces(&vec![index as u8 + 1; tensors[index].bytes().unwrap() as usize], out)
}

#[test]
fn what_is_written_as_safetensors_reads_back_equal() {
    let tensors = safetensors_tensors();
    let notes = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    let mut file = Vec::new();
    let write = |index: usize, out: &mut dyn Write| numbered(index, &tensors, out);
    let length = write_safetensors(&mut file, &notes, &tensors, write).unwrap();
    assert_eq!(length, file.len() as u64);
    let header = safetensors::parse(&file, Some(length)).unwrap();
    assert!(header.header_length.is_multiple_of(8));
    assert_eq!((header.metadata, header.tensors.len()), (notes, tensors.len()));
    for (index, tensor) in tensors.iter().enumerate() {
        let read = &header.tensors[&tensor.name];
        assert_eq!((read.dtype, &read.shape), (tensor.dtype, &tensor.shape));
        let (_, width) = tensor.dtype.block();
        assert!(read.begin.is_multiple_of(width), "{} is aligned", tensor.name);
        let place = (header.header_length + read.begin) as usize
            ..(header.header_length + read.end) as usize;
        assert!(file[place].iter().all(|byte| usize::from(*byte) == index + 1));
    }
    let told = |tensors: &[TensorInfo]| {
        let write = |index: usize, out: &mut dyn Write| numbered(index, tensors, out);
        write_safetensors(&mut Vec::new(), &BTreeMap::new(), tensors, write)
            .unwrap_err()
            .to_string()
    };
    assert!(
        told(&[tensor("a", Dtype::Q8_0, &[32])]).contains("safetensors files are not written with")
    );
    assert!(told(&[tensor("__metadata__", Dtype::F32, &[1])]).contains("is there twice"));
    assert!(told(&[tensor("a", Dtype::F32, &[1; 17])]).contains("at most 16"));
}

/// A folder of this test alone.
fn temporary(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("nearside-files-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// What a script says about a file, by the packages of the formats themselves; `None` where they are not installed.
fn said_by_packages(script: &str, path: &Path) -> Option<String> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/engines/gguf/bin/python");
    let usable = Command::new(&python).args(["-c", "import gguf, safetensors"]).output();
    if !usable.is_ok_and(|done| done.status.success()) {
        println!("SKIPPED: no Python with gguf and safetensors; remedy: cargo xtask setup");
        return None;
    }
    let done = Command::new(python).arg("-c").arg(script).arg(path).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Some(String::from_utf8(done.stdout).unwrap())
}

#[test]
fn the_gguf_package_reads_the_same() {
    const SCRIPT: &str = "
import sys, gguf
from gguf.quants import dequantize
reader = gguf.GGUFReader(sys.argv[1])
for name, field in reader.fields.items():
    if not name.startswith('GGUF.'):
        print(name, repr(field.contents()))
for tensor in reader.tensors:
    values = dequantize(tensor.data, tensor.tensor_type).flatten()
    print(tensor.name, tensor.shape.tolist(), [float(value).hex() for value in values[:3]])
";
    let folder = temporary("gguf");
    let path = folder.join("model.gguf");
    std::fs::write(&path, gguf_file(&pairs())).unwrap();
    let said = said_by_packages(SCRIPT, &path);
    std::fs::remove_dir_all(folder).unwrap();
    let Some(said) = said else { return };
    for line in [
        "general.architecture 'llama'",
        "a.i8 -100",
        "a.f32 1.5",
        "a.bool True",
        "a.u64 18446744073709551615",
        "a.i64 -9223372036854775808",
        "a.f64 -0.1",
        "l.u16 [1, 65535]",
        "l.bool [True, False]",
        "l.f64 [0.1]",
        "tokenizer.ggml.tokens ['<s>', 'ein', '▁Haus', '']",
        "l.none []",
    ] {
        assert!(said.lines().any(|said| said == line), "{line} is not in\n{said}");
    }
    for tensor in tensors() {
        let mut values = vec![0.0; tensor.shape.iter().product::<u64>() as usize];
        nearside_models::block::dequantize(tensor.dtype, &made(&tensor).1, &mut values).unwrap();
        let shape: Vec<u64> = tensor.shape.iter().rev().copied().collect();
        let begins = format!("{} {shape:?} [", tensor.name);
        let line = said.lines().find_map(|line| line.strip_prefix(&begins)).unwrap();
        let read: Vec<f64> = line.trim_end_matches(']').split(", ").map(from_hex).collect();
        let ours: Vec<f64> = values.iter().take(3).map(|value| f64::from(*value)).collect();
        assert_eq!(read, ours, "{}", tensor.name);
    }
}

/// A float as Python's `hex` has it: `'-0x1.8p-3'`.
fn from_hex(text: &str) -> f64 {
    let text = text.trim_matches('\'');
    let (text, sign) = text.strip_prefix('-').map_or((text, 1.0), |text| (text, -1.0));
    let (mantissa, exponent) = text.strip_prefix("0x").unwrap().split_once('p').unwrap();
    let (whole, digits) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let scale = 16f64.powi(digits.len() as i32);
    let fraction = u64::from_str_radix(digits, 16).unwrap() as f64 / scale;
    sign * (whole.parse::<f64>().unwrap() + fraction) * 2f64.powi(exponent.parse().unwrap())
}

#[test]
fn the_safetensors_package_reads_the_same() {
    const SCRIPT: &str = "
import sys, safetensors
with safetensors.safe_open(sys.argv[1], 'numpy') as file:
    print(file.metadata())
    for name in sorted(file.keys()):
        part = file.get_slice(name)
        print(repr(name), part.get_dtype(), part.get_shape())
";
    let folder = temporary("safetensors");
    let path = folder.join("model.safetensors");
    let tensors = safetensors_tensors();
    let notes = BTreeMap::from([("format".to_owned(), "np".to_owned())]);
    let write = |index: usize, out: &mut dyn Write| numbered(index, &tensors, out);
    write_safetensors_file(&path, &notes, &tensors, write).unwrap();
    let said = said_by_packages(SCRIPT, &path);
    std::fs::remove_dir_all(folder).unwrap();
    let Some(said) = said else { return };
    for line in [
        "{'format': 'np'}",
        "'a.half' BF16 [7]",
        "'b.half' F16 [3, 5]",
        "'scalar' F32 []",
        "'empty' F32 [0, 4]",
    ] {
        assert!(said.lines().any(|said| said == line), "{line} is not in\n{said}");
    }
    assert!(said.contains("'a \"quoted\" \\x01' F32 [2, 3]"), "{said}");
}
