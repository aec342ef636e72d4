//! The client library of this process: where it is searched for, what makes it usable, and when it is opened.

use crate::FDB_API_VERSION;
use crate::functions::{ABSENT, Functions};
use libloading::Library;
use std::env;
use std::error::Error;
use std::ffi::{CStr, OsString, c_int};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, OnceLock, PoisonError};

/// Environment variable with the path of the client library.
pub const LIBRARY_ENV: &str = "ROOKERY_FDB_LIBRARY";

static CLIENT: OnceLock<Client> = OnceLock::new();

/// Opens the client library, unless an earlier call did.
///
/// Tried in this order, until one is usable: `path`, the path in [`LIBRARY_ENV`], the system loader's own search,
/// and the directories that packages install into. A path without a slash is searched for by the system loader.
/// What a path names is code that runs in this process, so it must come from the operator.
///
/// After a failure the next call tries again; after a success every call answers with the first result.
///
/// # Errors
/// [`LoadError`] when none of them is usable; it names each with its reason.
pub fn load(path: Option<&Path>) -> Result<&'static LoadedFrom, LoadError> {
    static LOADING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(client) = CLIENT.get() {
        return Ok(&client.loaded_from);
    }
    let client = Client::first_usable(candidates(path, env::var_os(LIBRARY_ENV)))?;
    Ok(&CLIENT.get_or_init(|| client).loaded_from)
}

/// The functions of the loaded client, or of none. Searches the default places once, if nobody called [`load`].
pub(crate) fn functions() -> &'static Functions {
    static DEFAULT_SEARCH: Once = Once::new();
    if CLIENT.get().is_none() {
        // A failure shows in what the absent functions answer, and in the next `load`.
        DEFAULT_SEARCH.call_once(|| drop(load(None)));
    }
    CLIENT.get().map_or(&ABSENT, |client| &client.functions)
}

/// The client library in use.
#[derive(Debug)]
pub struct LoadedFrom {
    /// As it was given to the system loader: a bare file name if that was left to search for it.
    pub path: PathBuf,
    /// The highest API version that the library supports, at least 730.
    pub max_api_version: c_int,
    /// What was tried before and not used: worth a warning when it holds a path that was configured.
    pub rejected: Vec<Attempt>,
}

/// No usable client library was found.
#[derive(Debug, thiserror::Error)]
#[error(
    "no usable FoundationDB client library:{}\ninstall the foundationdb-clients 7.3 package from the FoundationDB \
     project's release page, or set {LIBRARY_ENV} to the path of its libfdb_c.so",
    list(.attempts)
)]
pub struct LoadError {
    /// Every path tried, in order.
    pub attempts: Vec<Attempt>,
}

/// A path that held no usable client library.
#[derive(Debug)]
pub struct Attempt {
    /// As it was given to the system loader.
    pub path: PathBuf,
    /// Why it was not used.
    pub reason: Rejection,
}

/// Why a path was not used as the client library.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The system loader did not open it: most often there is no such file.
    #[error("cannot be opened")]
    NotOpened(#[source] libloading::Error),
    /// A client of an older release, or no FoundationDB client at all.
    #[error("lacks {}", .0.join(", "))]
    MissingFunctions(Vec<&'static str>),
    /// A client of an older release.
    #[error("is too old: it supports API version {max_api_version} at most, and {FDB_API_VERSION} is needed")]
    TooOld {
        /// The highest API version that the library supports.
        max_api_version: c_int,
    },
}

fn list(attempts: &[Attempt]) -> String {
    let mut text = String::new();
    for Attempt { path, reason } in attempts {
        let start = format!("{}: ", path.display());
        // The system loader's own words are two sources down, and often begin with the path.
        let reason =
            reason.source().and_then(Error::source).map_or_else(|| reason.to_string(), ToString::to_string);
        text += &format!("\n  {start}{}", reason.strip_prefix(&start).unwrap_or(&reason));
    }
    text
}

/// Where to look, best first.
fn candidates(path: Option<&Path>, from_env: Option<OsString>) -> Vec<PathBuf> {
    let file = format!("{}fdb_c{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    let multiarch = format!("/usr/lib/{}-linux-gnu", env::consts::ARCH);
    let installed = ["/usr/lib", "/usr/lib64", &multiarch, "/usr/local/lib", "/usr/local/lib64"]
        .map(|directory| Path::new(directory).join(&file));
    path.map(Path::to_path_buf)
        .into_iter()
        .chain(from_env.filter(|path| !path.is_empty()).map(PathBuf::from))
        .chain([PathBuf::from(&file)])
        .chain(installed)
        .collect()
}

struct Client {
    functions: Functions,
    loaded_from: LoadedFrom,
    /// Holds `functions` in memory.
    _library: Library,
}

impl Client {
    fn first_usable(candidates: Vec<PathBuf>) -> Result<Self, LoadError> {
        let mut rejected = Vec::new();
        for path in candidates {
            match open(&path) {
                Ok((library, functions, max_api_version)) => {
                    let loaded_from = LoadedFrom { path, max_api_version, rejected };
                    return Ok(Self { functions, loaded_from, _library: library });
                }
                Err(reason) => rejected.push(Attempt { path, reason }),
            }
        }
        Err(LoadError { attempts: rejected })
    }
}

/// The library at `path`, its functions and the highest API version it supports. What is refused is closed.
fn open(path: &Path) -> Result<(Library, Functions, c_int), Rejection> {
    const MAX_API_VERSION: &CStr = c"fdb_get_max_api_version";

    // SAFETY: opening runs the library's initializers; the operator who chose the path trusts what is there.
    let library = unsafe { Library::new(path) }.map_err(Rejection::NotOpened)?;
    // SAFETY: `fdb_c.h` gives the function of this name this type, and an option of it may be null.
    let symbol = unsafe { library.get::<Option<unsafe extern "C" fn() -> c_int>>(MAX_API_VERSION) };
    let Some(get_max_api_version) = symbol.ok().and_then(|symbol| *symbol) else {
        return Err(Rejection::MissingFunctions(vec!["fdb_get_max_api_version"]));
    };
    // SAFETY: the function takes nothing, may be called before all others, and the library is loaded.
    let max_api_version = unsafe { get_max_api_version() };
    if max_api_version < FDB_API_VERSION.cast_signed() {
        return Err(Rejection::TooOld { max_api_version });
    }
    // SAFETY: the functions are returned together with the library, and a `Client` holds both.
    let functions = unsafe { Functions::resolve(&library) }.map_err(Rejection::MissingFunctions)?;
    Ok((library, functions, max_api_version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_client;
    use std::ptr;

    fn refusal(candidates: Vec<PathBuf>) -> LoadError {
        Client::first_usable(candidates).err().expect("no candidate is usable")
    }

    #[test]
    fn search_goes_from_the_most_to_the_least_specific_place() {
        let found = candidates(Some(Path::new("/configured/client.so")), Some("/from/env.so".into()));
        assert_eq!(found[0], Path::new("/configured/client.so"));
        assert_eq!(found[1], Path::new("/from/env.so"));
        assert_eq!(found[2].parent(), Some(Path::new("")), "a bare name, for the system loader's own search");
        assert!(found[3].starts_with("/usr/lib"));
        assert_eq!(candidates(None, Some(OsString::new())), found[2..]);
    }

    #[test]
    fn error_names_every_path_tried_and_the_package_to_install() {
        let empty = tempfile::tempdir().expect("temporary directory");
        let paths = [empty.path().join("libfdb_c.so"), empty.path().join("lib/libfdb_c.so")];
        let text = refusal(paths.to_vec()).to_string();
        for path in &paths {
            assert!(text.contains(&format!("\n  {}: cannot open", path.display())), "{text}");
        }
        assert!(text.contains("install the foundationdb-clients 7.3 package"), "{text}");
        assert!(text.contains(LIBRARY_ENV), "{text}");
    }

    #[test]
    fn client_of_an_older_release_is_refused_for_its_version() {
        let old = fake_client::build(&["-DMAX_API_VERSION=710", "-DWITHOUT_COMMIT"]);
        let error = refusal(vec![old.path()]);
        assert!(matches!(error.attempts[0].reason, Rejection::TooOld { max_api_version: 710 }), "{error}");
        assert!(error.to_string().contains("supports API version 710 at most, and 730 is needed"), "{error}");
    }

    #[test]
    fn client_lacking_a_required_function_is_refused_with_its_name() {
        let partial = fake_client::build(&["-DWITHOUT_COMMIT"]);
        let error = refusal(vec![partial.path()]);
        let Rejection::MissingFunctions(missing) = &error.attempts[0].reason else { panic!("{error}") };
        assert_eq!(missing, &["fdb_transaction_commit"]);
    }

    #[test]
    fn library_that_is_no_client_is_refused() {
        let stranger = fake_client::build(&["-DNO_CLIENT"]);
        let error = refusal(vec![stranger.path()]);
        assert!(error.to_string().contains("lacks fdb_get_max_api_version"), "{error}");
    }

    #[test]
    fn usable_client_after_a_refused_one_is_taken_and_the_refusal_kept() {
        let old = fake_client::build(&["-DMAX_API_VERSION=710"]);
        let good = fake_client::build(&[]);
        let client =
            Client::first_usable(vec![old.path(), good.path()]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(client.loaded_from.path, good.path());
        assert_eq!(client.loaded_from.max_api_version, 730);
        assert_eq!(client.loaded_from.rejected[0].path, old.path());
    }

    #[test]
    fn functions_called_without_a_client_answer_instead_of_crashing() {
        // SAFETY: what stands in for an absent client reads none of its arguments.
        unsafe {
            assert_eq!((ABSENT.fdb_select_api_version_impl)(730, 730), 2108);
            assert_eq!((ABSENT.fdb_create_database)(ptr::null(), ptr::null_mut()), 2108);
            assert_eq!((ABSENT.fdb_get_max_api_version)(), 0);
            assert_eq!((ABSENT.fdb_error_predicate)(50000, 2108), 0);
            let text = CStr::from_ptr((ABSENT.fdb_get_error)(2108));
            assert!(text.to_str().expect("ASCII").contains("not loaded"));
        }
    }

    #[test]
    #[should_panic(
        expected = "fdb_transaction_commit called, but the FoundationDB client library is not loaded"
    )]
    fn function_that_needs_a_live_object_panics_without_a_client() {
        // SAFETY: what stands in for an absent client reads none of its arguments.
        unsafe { (ABSENT.fdb_transaction_commit)(ptr::null_mut()) };
    }
}
