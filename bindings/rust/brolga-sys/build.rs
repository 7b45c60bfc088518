//! Finds the C library, or builds it.
//!
//! An installed one is found by pkg-config, unless the feature `vendored` is on;
//! otherwise the sources in vendor/ are built by CMake and installed into
//! OUT_DIR. Either way pkg-config then says how to link, so that there is one
//! description of that, which the library itself writes.
//!
//! Both programs are called by hand: the crates that do it are for choices which
//! are not there to be made here, and without them nothing is downloaded.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The interface changes with the minor version, until 1.0.
const VERSIONS: [&str; 2] = ["brolga >= 0.1.0", "brolga < 0.2.0"];

fn main() {
    for name in ["BROLGA_STATIC", "PKG_CONFIG", "PKG_CONFIG_PATH", "CMAKE"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    println!("cargo::rerun-if-changed=build.rs");

    let vendored = env::var_os("CARGO_FEATURE_VENDORED").is_some();
    if !vendored {
        if let Ok(flags) = pkg_config(None, flag("BROLGA_STATIC")) {
            return link(&flags, flag("BROLGA_STATIC"));
        }
    }
    println!("cargo::rerun-if-changed=vendor");
    let prefix = build();
    let flags = pkg_config(Some(&prefix), true)
        .unwrap_or_else(|text| fail(&format!("what was built cannot be linked: {text}")));
    link(&flags, true);
}

fn flag(name: &str) -> bool {
    env::var(name).is_ok_and(|value| !value.is_empty() && value != "0")
}

fn fail(text: &str) -> ! {
    eprintln!("brolga-sys: {text}");
    std::process::exit(1);
}

/// What to link with, as pkg-config prints it: of the library that is installed
/// under `prefix`, or where pkg-config looks.
fn pkg_config(prefix: Option<&Path>, all: bool) -> Result<Vec<String>, String> {
    let program = env::var_os("PKG_CONFIG").unwrap_or_else(|| "pkg-config".into());
    let mut command = Command::new(&program);

    if let Some(prefix) = prefix {
        command.env("PKG_CONFIG_PATH", with_more_paths(&prefix.join("lib/pkgconfig")));
    }
    if all {
        command.arg("--static");
    }
    // Also what is in the system's own folders, for -L and -I are looked at.
    command.env("PKG_CONFIG_ALLOW_SYSTEM_LIBS", "1").env("PKG_CONFIG_ALLOW_SYSTEM_CFLAGS", "1");
    let output = command
        .args(["--cflags", "--libs"])
        .args(VERSIONS)
        .output()
        .map_err(|error| format!("{}: {error}", program.to_string_lossy()))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).split_whitespace().map(Into::into).collect())
}

fn with_more_paths(first: &Path) -> OsString {
    let mut paths = vec![first.to_path_buf()];

    if let Some(others) = env::var_os("PKG_CONFIG_PATH") {
        paths.extend(env::split_paths(&others));
    }
    env::join_paths(paths).unwrap_or_else(|error| fail(&error.to_string()))
}

/// Builds and installs the library of vendor/; returns where.
fn build() -> PathBuf {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let prefix = out.join("prefix");
    let tree = out.join("cmake");
    let cmake = env::var_os("CMAKE").unwrap_or_else(|| "cmake".into());

    if env::var("HOST") != env::var("TARGET") {
        fail("build the library for the target, and say where it is: PKG_CONFIG_PATH");
    }
    run(Command::new(&cmake)
        .args(["-S", "vendor", "-B"])
        .arg(&tree)
        .args(["-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DCMAKE_INSTALL_LIBDIR=lib"])
        .args(["-DBROLGA_TESTS=OFF", "-DBROLGA_BENCH=OFF"])
        .arg(format!("-DCMAKE_INSTALL_PREFIX={}", prefix.display())));
    let jobs = env::var("NUM_JOBS").unwrap_or_else(|_| "1".into());
    run(Command::new(&cmake).arg("--build").arg(&tree).args(["--parallel", &jobs]));
    run(Command::new(&cmake).arg("--install").arg(&tree));
    prefix
}

fn run(command: &mut Command) {
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => fail(&format!("{command:?}: {status}")),
        Err(error) => fail(&format!(
            "{command:?}: {error}\nTo build Brolga, install cmake, pkg-config, a C compiler \
             and libuv (Debian: cmake pkg-config gcc libuv1-dev libmimalloc-dev); or install \
             Brolga itself where pkg-config finds it."
        )),
    }
}

/// Tells cargo. A static library is taken as a whole: code that is loaded later
/// may call what the program does not.
fn link(flags: &[String], all: bool) {
    let mut include = String::new();

    for flag in flags {
        if let Some(path) = flag.strip_prefix("-L") {
            println!("cargo::rustc-link-search=native={path}");
        } else if flag == "-lbrolga" && all {
            println!("cargo::rustc-link-lib=static:+whole-archive,-bundle=brolga");
        } else if let Some(name) = flag.strip_prefix("-l") {
            println!("cargo::rustc-link-lib=dylib={name}");
        } else if let Some(path) = flag.strip_prefix("-I") {
            if Path::new(path).join("brolga/brolga.h").exists() {
                include = path.into();
            }
        }
    }
    // For the test that compares, and for crates that depend on this one.
    println!("cargo::rustc-env=BROLGA_INCLUDE={include}");
    println!("cargo::metadata=include={include}");
}
