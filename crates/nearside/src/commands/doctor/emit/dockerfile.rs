//! The image of an environment: packages are installed in one stage, and only they reach the next. It
//! holds no code, no data and no secret.
//!
//! Sources: uv's guide for containers (`UV_PROJECT_ENVIRONMENT`, `UV_LINK_MODE`), BuildKit's reference
//! (`--mount=type=secret` and `type=cache`, which Podman knows as well).

use nearside_workload::environment_lock::LOCK_FILE;

use super::Emission;
use super::choice::Reach;
use super::constraints::WITH_UV;

/// The image that uv comes from: the version that the tests use.
const UV_IMAGE: &str = "ghcr.io/astral-sh/uv:0.13.0";
/// Who works in the container; a number that is nobody's elsewhere.
pub(super) const USER: &str = "stage";
const USER_ID: u32 = 10_001;

/// What is not sent to the builder of an image: everything but what it reads.
pub(super) const IGNORED: &str = "\
# The image holds the environment alone: no code and no data of the project reach its builder.
*
!pyproject.toml
!uv.lock
!constraints.txt
!nearside.lock
";

/// What holds packages to the versions that were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// `pyproject.toml` itself.
    ByProject,
    /// `constraints.txt`, beside a person's `pyproject.toml`.
    ByConstraints,
}

/// The Dockerfile.
pub(super) fn rendered(emission: &Emission, held: Held) -> String {
    let (image, name) = (&emission.base.image, &emission.name);
    format!(
        "\
# Written by `nearside doctor --emit`: the environment of {LOCK_FILE}, and nothing else.
#   podman build --tag {name} .       (or docker), then image = \"localhost/{name}\" in a stage
#   --build-arg BASE_IMAGE=...        builds it on another image, such as one that is here already
#   --secret id=uv,src=uv.toml        settings of uv that the image must not hold: an index of your own
ARG BASE_IMAGE={image}
ARG UV_IMAGE={UV_IMAGE}

FROM ${{UV_IMAGE}} AS uv

FROM ${{BASE_IMAGE}} AS packages
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_PYTHON_INSTALL_DIR=/opt/python \\
    UV_PROJECT_ENVIRONMENT=/opt/environment \\
    UV_CACHE_DIR=/var/cache/uv \\
    UV_LINK_MODE=copy
WORKDIR /project
COPY pyproject.toml uv.lock*{constraints} ./
RUN --mount=type=cache,target=/var/cache/uv \\
    --mount=type=secret,id=uv,target=/etc/uv/uv.toml \\
    {install}

FROM ${{BASE_IMAGE}} AS environment
RUN echo '{USER}:x:{USER_ID}:{USER_ID}::/home/{USER}:/bin/sh' >> /etc/passwd \\
    && echo '{USER}:x:{USER_ID}:' >> /etc/group \\
    && mkdir -p /home/{USER} /project \\
    && chown {USER_ID}:{USER_ID} /home/{USER} /project
COPY --from=packages /opt /opt
COPY {LOCK_FILE} /opt/environment/{LOCK_FILE}
ENV PATH=/opt/environment/bin:$PATH \\
    VIRTUAL_ENV=/opt/environment{variables}
USER {USER}
WORKDIR /project
",
        constraints = if held == Held::ByConstraints { " constraints.txt" } else { "" },
        install = install(held, &python(emission)),
        variables = variables(emission),
    )
}

/// The command that makes the environment; a lock of uv decides wherever there is one.
fn install(held: Held, python: &str) -> String {
    match held {
        Held::ByProject => format!(
            "if [ -f uv.lock ]; then locked=--frozen; fi; \\\n    \
             uv sync $locked --no-install-project{python}"
        ),
        Held::ByConstraints => format!(
            "if [ -f uv.lock ]; then uv sync --frozen --no-install-project{python}; else \\\n    \
             uv venv{python} /opt/environment && export VIRTUAL_ENV=/opt/environment && \\\n    \
             {WITH_UV}; fi"
        ),
    }
}

/// The Python that was found, as exactly as it can be had.
fn python(emission: &Emission) -> String {
    let version = emission.base.python.as_ref();
    version.map_or_else(String::new, |version| format!(" --python {}", quoted(version)))
}

/// Variables that change results, and those that engines of containers give devices by.
fn variables(emission: &Emission) -> String {
    let mut all: Vec<(String, String)> = match emission.base.reach {
        Reach::Cuda => {
            [("NVIDIA_VISIBLE_DEVICES", "all"), ("NVIDIA_DRIVER_CAPABILITIES", "compute,utility")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into()
        }
        Reach::Processor | Reach::Rocm => Vec::new(),
    };
    let set = emission.lock.variables.as_ref().value().into_iter().flatten();
    all.extend(set.map(|(name, value)| (name.clone(), value.clone())));
    let line = |(name, value): &(String, String)| format!(" \\\n    {name}={}", quoted(value));
    all.iter().map(line).collect()
}

/// A word of a Dockerfile: in quotes where it has to be, so that it is taken as it is.
fn quoted(text: &str) -> String {
    let plain = |sign: char| sign.is_ascii_alphanumeric() || "-_.,:/+=%".contains(sign);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    let sign = |sign: char| match sign {
        '"' | '\\' | '$' => format!("\\{sign}"),
        // No line of a Dockerfile may break there.
        sign if sign.is_control() => " ".to_owned(),
        sign => sign.to_string(),
    };
    format!("\"{}\"", text.chars().map(sign).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_taken_as_they_are() {
        for (text, word) in [
            (":4096:8", ":4096:8"),
            ("a b", "\"a b\""),
            ("", "\"\""),
            ("$HOME \"x\" \\", "\"\\$HOME \\\"x\\\" \\\\\""),
            ("a\nRUN evil", "\"a RUN evil\""),
        ] {
            assert_eq!(quoted(text), word);
        }
    }
}
