//! Variables that change what a stage computes or how fast: no others are kept, so that a lock holds
//! no secret and no path of a person.

use super::Effect;

/// A variable that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it can change.
    pub effect: Effect,
    /// How.
    pub why: &'static str,
}

impl Variable {
    /// What of a value is kept: none of it is a path of the machine, and nothing that writes files there.
    ///
    /// ```
    /// use nearside_workload::environment_lock::variables;
    /// let flags = variables().iter().find(|variable| variable.name == "XLA_FLAGS").unwrap();
    /// let value = "--xla_gpu_deterministic_ops=true --xla_dump_to=out --xla_cuda_dir=/home/me/cuda";
    /// assert_eq!(flags.kept(value).as_deref(), Some("--xla_gpu_deterministic_ops=true"));
    /// assert_eq!(flags.kept("/home/me/flags.txt"), None);
    /// ```
    #[must_use]
    pub fn kept(&self, value: &str) -> Option<String> {
        if self.name != XLA_FLAGS {
            return Some(value.to_owned());
        }
        let plain = |word: &&str| !word.contains('/') && !word.starts_with("--xla_dump");
        let words: Vec<_> = value.split_whitespace().filter(plain).collect();
        (!words.is_empty()).then(|| words.join(" "))
    }
}

/// Holds paths besides what decides results.
const XLA_FLAGS: &str = "XLA_FLAGS";

const fn result(name: &'static str, why: &'static str) -> Variable {
    Variable { name, effect: Effect::Result, why }
}

const fn speed(name: &'static str, why: &'static str) -> Variable {
    Variable { name, effect: Effect::Speed, why }
}

const SUMS: &str = "sums are split among that many threads, which changes their last bits";
const KERNELS: &str = "the library takes other kernels, which changes last bits";
const TENSOR_FLOAT: &str = "32-bit products are rounded to 10 bits where TF32 is on";
const REPEATABLE: &str = "decides whether the same kernels are taken every time";

/// Sorted by name. Sources: PyTorch's notes on reproducibility and on CUDA; NVIDIA's documentation of
/// cuBLAS, cuDNN and NCCL; the environment variables of OpenMP, MKL, `OpenBLAS`, `CPython` and ROCm.
const VARIABLES: [Variable; 27] = [
    result("ATEN_CPU_CAPABILITY", KERNELS),
    result("CUBLASLT_WORKSPACE_SIZE", REPEATABLE),
    result("CUBLAS_WORKSPACE_CONFIG", REPEATABLE),
    speed("CUDA_DEVICE_MAX_CONNECTIONS", "how many queues of work a device takes"),
    speed("CUDA_LAUNCH_BLOCKING", "every kernel is waited for"),
    speed("CUDA_MODULE_LOADING", "when kernels are loaded"),
    result("HSA_OVERRIDE_GFX_VERSION", "kernels of another accelerator are run"),
    speed("KMP_AFFINITY", "where threads run"),
    speed("KMP_BLOCKTIME", "how long idle threads wait awake"),
    result("MKL_CBWR", KERNELS),
    result("MKL_ENABLE_INSTRUCTIONS", KERNELS),
    result("MKL_NUM_THREADS", SUMS),
    result("NCCL_ALGO", "sums over devices are done in another order"),
    result("NCCL_PROTO", "sums over devices are done in another order"),
    result("NUMEXPR_NUM_THREADS", SUMS),
    result("NVIDIA_TF32_OVERRIDE", TENSOR_FLOAT),
    result("OMP_NUM_THREADS", SUMS),
    speed("OMP_PROC_BIND", "where threads run"),
    result("OPENBLAS_CORETYPE", KERNELS),
    result("OPENBLAS_NUM_THREADS", SUMS),
    result("PYTHONHASHSEED", "the order of sets, and what follows from it"),
    speed("PYTORCH_ALLOC_CONF", "how memory is divided"),
    speed("PYTORCH_CUDA_ALLOC_CONF", "how memory of the device is divided"),
    result("TF_DETERMINISTIC_OPS", REPEATABLE),
    result("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", TENSOR_FLOAT),
    result("VECLIB_MAXIMUM_THREADS", SUMS),
    result(XLA_FLAGS, "what the compiler makes of a model"),
];

/// Every variable that matters, sorted by name.
#[must_use]
pub const fn variables() -> &'static [Variable] {
    &VARIABLES
}

/// The variable of that name.
pub(super) fn named(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_sorted_and_none_stands_twice() {
        assert!(VARIABLES.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert_eq!(named("OMP_NUM_THREADS").unwrap().effect, Effect::Result);
        // Where files are is no part of what is computed.
        assert_eq!(named("HF_HOME"), None);
    }
}
