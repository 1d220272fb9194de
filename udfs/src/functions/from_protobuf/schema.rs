//! A Protobuf schema: compiled from its text and what it imports, or from files; and which message a value is.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prost_reflect::{DescriptorPool, FileDescriptor, MessageDescriptor};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver};
use protox::{Compiler, Error};

use super::known::FILES;
use super::wire::zigzag;

/// The name of a registered schema among the files that it imports.
const REGISTERED: &str = "registered-schema.proto";
/// How many messages an error names.
const NAMED_MAX: usize = 12;
/// How many messages may be declared in one another.
const DECLARED_MAX: i64 = 64;

/// Messages that values may be.
#[derive(Clone)]
pub struct ProtobufSchema {
    messages: Messages,
    /// All of its files, which tell schemas apart.
    encoded: Arc<[u8]>,
}

#[derive(Clone)]
enum Messages {
    /// Those of a file: a value says which one it is, by indexes in the file.
    OfFile(FileDescriptor),
    /// All values are this message.
    One(MessageDescriptor),
}

impl ProtobufSchema {
    /// A schema as a registry has it, with the paths and texts of all that it imports.
    ///
    /// # Errors
    /// Why it cannot be compiled.
    pub fn registered(text: &str, imported: impl Iterator<Item = (String, String)>) -> Result<Self, String> {
        let mut files: HashMap<String, String> = imported.collect();
        files.insert(REGISTERED.to_owned(), text.to_owned());
        if files.values().any(|text| nests_too_deep(text)) {
            return Err(format!("it nests more than {BRACES_MAX} deep"));
        }
        let mut resolver = ChainFileResolver::new();
        resolver.add(Texts(files));
        resolver.add(GoogleFileResolver::new());
        resolver.add(Texts(owned(&FILES)));
        let pool = compiled(resolver, Path::new(REGISTERED))?;
        let file = pool.get_file_by_name(REGISTERED).ok_or("it has no file")?;
        if file.messages().next().is_none() {
            return Err("it has no message".to_owned());
        }
        Ok(Self::new(Messages::OfFile(file), &pool))
    }

    /// A message of a `.proto` file, or of a compiled set of files (`.desc`, `.pb`). Imports are searched for in the
    /// file's folder, and in those above it up to `root`.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn of_file(path: &Path, root: &Path, message: &str) -> Result<Self, String> {
        let pool = match path.extension().is_some_and(|extension| extension == "proto") {
            true => {
                let mut resolver = ChainFileResolver::new();
                for folder in folders(path, root) {
                    resolver.add(IncludeFileResolver::new(folder));
                }
                resolver.add(GoogleFileResolver::new());
                resolver.add(Texts(owned(&FILES)));
                compiled(resolver, path)?
            }
            false => {
                let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
                DescriptorPool::decode(bytes.as_slice()).map_err(|error| error.to_string())?
            }
        };
        let Some(found) = pool.get_message_by_name(message) else {
            let of_values = pool.all_messages().filter(|message| !message.is_map_entry());
            let known = of_values.filter(|message| !message.full_name().starts_with("google.protobuf."));
            let names: Vec<String> = known
                .take(NAMED_MAX)
                .map(|message| message.full_name().to_owned())
                .collect();
            return Err(format!(
                "it has no message `{message}`; its messages are {}",
                names.join(", ")
            ));
        };
        Ok(Self::new(Messages::One(found), &pool))
    }

    fn new(messages: Messages, pool: &DescriptorPool) -> Self {
        Self {
            messages,
            encoded: pool.encode_to_vec().into(),
        }
    }

    /// The message that a value is, and its bytes. `places` says which one it is, or the bytes before it do.
    pub(super) fn message<'a>(
        &self,
        value: &'a [u8],
        places: Option<&'a [u8]>,
    ) -> Option<(MessageDescriptor, &'a [u8])> {
        match (&self.messages, places) {
            (Messages::One(message), _) => Some((message.clone(), value)),
            (Messages::OfFile(file), Some(mut places)) => {
                let message = placed(file, &mut places)?;
                places.is_empty().then_some((message, value))
            }
            (Messages::OfFile(file), None) => {
                let mut bytes = value;
                let message = placed(file, &mut bytes)?;
                Some((message, bytes))
            }
        }
    }

    fn name(&self) -> &str {
        match &self.messages {
            Messages::OfFile(file) => file.name(),
            Messages::One(message) => message.full_name(),
        }
    }
}

impl PartialEq for ProtobufSchema {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.encoded == other.encoded
    }
}

impl Eq for ProtobufSchema {}

impl fmt::Debug for ProtobufSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProtobufSchema").field(&self.name()).finish()
    }
}

/// The message at these indexes in a file: how many there are, the index among the file's messages, the one among those
/// declared in that message, and so on. None at all means the first message.
fn placed(file: &FileDescriptor, bytes: &mut &[u8]) -> Option<MessageDescriptor> {
    let count = zigzag(bytes)?;
    if count == 0 {
        return file.messages().next();
    }
    if !(1..=DECLARED_MAX).contains(&count) {
        return None;
    }
    let mut message = file.messages().nth(usize::try_from(zigzag(bytes)?).ok()?)?;
    for _ in 1..count {
        let place = usize::try_from(zigzag(bytes)?).ok()?;
        // The entries of maps are declared by the compiler.
        let declared = message
            .child_messages()
            .filter(|declared| !declared.is_map_entry())
            .nth(place);
        message = declared?;
    }
    Some(message)
}

/// The folders in which imports of a file are searched for.
fn folders(path: &Path, root: &Path) -> Vec<PathBuf> {
    let above = path.ancestors().skip(1);
    let within: Vec<PathBuf> = above
        .take_while(|folder| folder.starts_with(root))
        .map(Path::to_path_buf)
        .collect();
    match within.is_empty() {
        true => path.parent().map(Path::to_path_buf).into_iter().collect(),
        false => within,
    }
}

fn compiled(resolver: ChainFileResolver, path: &Path) -> Result<DescriptorPool, String> {
    let compile = || -> Result<DescriptorPool, String> {
        let mut compiler = Compiler::with_file_resolver(resolver);
        // Written for debugging, an error has its file and line.
        compiler
            .open_file(path)
            .map_err(|error| first_line(&format!("{error:?}")))?;
        Ok(compiler.descriptor_pool())
    };
    // The text comes from elsewhere, and is parsed by a library.
    catch_unwind(AssertUnwindSafe(compile)).unwrap_or_else(|_| Err("the compiler fails".to_owned()))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// How deep braces may nest: the compiler reads the values of options by calling itself, without a limit.
const BRACES_MAX: usize = 100;

/// Whether braces outside strings and comments nest too deep.
fn nests_too_deep(text: &str) -> bool {
    let mut bytes = text.bytes().peekable();
    let mut depth = 0_usize;
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' | b'\'' => {
                while let Some(inner) = bytes.next() {
                    match inner {
                        b'\\' => _ = bytes.next(),
                        end if end == byte => break,
                        _ => {}
                    }
                }
            }
            // Within the value of an option, a comment begins with `#`; elsewhere, with `//`. Both end with the line.
            b'#' => _ = bytes.find(|byte| *byte == b'\n'),
            b'/' if bytes.peek() == Some(&b'/') => _ = bytes.find(|byte| *byte == b'\n'),
            b'/' if bytes.peek() == Some(&b'*') => {
                bytes.next();
                let mut before = 0;
                for inner in bytes.by_ref() {
                    if before == b'*' && inner == b'/' {
                        break;
                    }
                    before = inner;
                }
            }
            b'{' | b'<' | b'[' => depth += 1,
            b'}' | b'>' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > BRACES_MAX {
            return true;
        }
    }
    false
}

/// Files by their paths.
struct Texts(HashMap<String, String>);

fn owned(files: &[(&str, &str)]) -> HashMap<String, String> {
    let files = files.iter();
    files
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect()
}

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        match self.0.get(name) {
            Some(text) => File::from_source(name, text),
            None => Err(Error::file_not_found(name)),
        }
    }
}
