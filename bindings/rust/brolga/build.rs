//! For the tests: modules that they load refer to symbols of the test program, and
//! include the library's headers.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-tests=-rdynamic");
    // brolga-sys says where they are.
    let include = std::env::var("DEP_BROLGA_INCLUDE").unwrap_or_default();
    println!("cargo::rustc-env=BROLGA_INCLUDE={include}");
}
