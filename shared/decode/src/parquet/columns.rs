//! The columns of a file: what they mean, and how they are read.
//!
//! The parquet crate checks texts while it reads them, and counts the old
//! moments of 96 bits in 64, wraps integers of 32 bits that are said to have 8 or
//! 16, and leaves the months out of intervals. So it is shown another schema, in
//! which texts are bytes, these moments and intervals twelve bytes, and integers
//! as wide as they lie; the pages are the same. `meaning` makes of them what they are. Texts are read as views of the pages: one that a
//! thousand rows name in a dictionary is in memory once.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use model::ColumnType;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::errors::Result;
use parquet::file::metadata::{FileMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::schema::types::{BasicTypeInfo, SchemaDescriptor, Type, TypePtr};

use crate::{FieldOrigin, Request, meaning};

/// A writer that leaves bytes behind the moments of a page, which the crate's
/// reader of twelve bytes refuses. It holds its moments as nanoseconds in 64
/// bits itself, so that none of them is beyond what the crate counts.
const PADS_MOMENTS: &str = "fastparquet";

/// The columns of a file.
pub(super) struct Columns {
    /// What they mean.
    pub(super) meant: SchemaRef,
    /// How they are read.
    pub(super) read: ArrowReaderMetadata,
}

impl Columns {
    /// The columns that a footer names.
    pub(super) fn of(metadata: ParquetMetaData, request: &Request) -> Result<Self> {
        let file = metadata.file_metadata().clone();
        let groups = metadata.into_builder().take_row_groups();

        let bare = Arc::new(ParquetMetaData::new(file.clone(), Vec::new()));
        let meant = ArrowReaderMetadata::try_new(bare, ArrowReaderOptions::new())?;
        let meant = with_dictionaries(meant.schema(), &groups, request);
        let meant = Arc::new(meaning::with_leaves(
            &meant,
            meaning::leaves(&meant).iter().map(meaning::as_views),
        ));

        let moments_as_bytes = !file.created_by().is_some_and(|by| by.starts_with(PADS_MOMENTS));
        let physical = file.schema_descr().columns().iter().map(|leaf| leaf.physical_type());
        let leaves =
            physical.zip(meaning::leaves(&meant)).map(|(physical, meant)| match physical {
                Physical::INT96 if moments_as_bytes => {
                    DataType::FixedSizeBinary(meaning::OLD_MOMENT)
                }
                Physical::INT32 => meaning::as_wide(&meant),
                _ => meaning::as_bytes(&meant),
            });
        let schema = Arc::new(meaning::with_leaves(&meant, leaves));
        let metadata = Arc::new(ParquetMetaData::new(with_bytes(&file, moments_as_bytes)?, groups));
        let options = ArrowReaderOptions::new().with_schema(schema);
        Ok(Self { meant, read: ArrowReaderMetadata::try_new(metadata, options)? })
    }

    /// What the columns mean of which `read` has these leaves of the file.
    pub(super) fn meant_by(&self, read: &Schema, leaves: &[usize]) -> Schema {
        let meant = meaning::leaves(&self.meant);
        meaning::with_leaves(read, leaves.iter().filter_map(|leaf| meant.get(*leaf).cloned()))
    }
}

/// Texts that lie as a dictionary stay one for a column of `LowCardinality`.
fn with_dictionaries(
    schema: &SchemaRef,
    groups: &[RowGroupMetaData],
    request: &Request,
) -> SchemaRef {
    let wanted = |field: &FieldRef| {
        if field.data_type() != &DataType::Utf8 || !stays_dictionary(field.name(), groups, request)
        {
            return Arc::clone(field);
        }
        let kept = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        Arc::new(field.as_ref().clone().with_data_type(kept))
    };
    let fields: Vec<_> = schema.fields().iter().map(wanted).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// Whether a top-level column of texts is wanted for `LowCardinality` columns
/// alone, and every row group has a dictionary of it.
fn stays_dictionary(name: &str, groups: &[RowGroupMetaData], request: &Request) -> bool {
    let mut asked = request.fields.iter().filter(|field| match &field.origin {
        FieldOrigin::Column(column) => column == name,
        FieldOrigin::Path(path) => path.first().is_some_and(|first| first == name),
    });
    let is_wanted = asked.clone().next().is_some()
        && asked.all(|field| matches!(field.column_type, Some(ColumnType::LowCardinality(_))));
    is_wanted
        && groups.iter().all(|group| {
            group.columns().iter().any(|chunk| {
                chunk.column_path().parts() == [name] && chunk.dictionary_page_offset().is_some()
            })
        })
}

/// The same file, as the parquet crate is to see it.
fn with_bytes(file: &FileMetaData, moments: bool) -> Result<FileMetaData> {
    let root = file.schema_descr().root_schema();
    let schema =
        Type::group_type_builder(root.name()).with_fields(children_with_bytes(root, moments)?);
    let schema = Arc::new(schema.build()?);
    Ok(FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        file.key_value_metadata().cloned(),
        Arc::new(SchemaDescriptor::new(schema)),
        file.column_orders().cloned(),
    ))
}

/// Without groups that have no children: they hold nothing, and are no columns.
fn children_with_bytes(group: &Type, moments: bool) -> Result<Vec<TypePtr>> {
    let children = group.get_fields().iter();
    children.filter_map(|node| node_with_bytes(node, moments).transpose()).collect()
}

fn node_with_bytes(node: &TypePtr, moments: bool) -> Result<Option<TypePtr>> {
    let info = node.get_basic_info();
    let id = info.has_id().then(|| info.id());
    if node.is_primitive() {
        let (physical, length) = match node.get_physical_type() {
            Physical::INT96 if moments => (Physical::FIXED_LEN_BYTE_ARRAY, meaning::OLD_MOMENT),
            Physical::BYTE_ARRAY if is_text(info) => (Physical::BYTE_ARRAY, -1),
            Physical::INT32 if is_narrow(info) => (Physical::INT32, -1),
            Physical::FIXED_LEN_BYTE_ARRAY if info.converted_type() == ConvertedType::INTERVAL => {
                (Physical::FIXED_LEN_BYTE_ARRAY, meaning::INTERVAL)
            }
            _ => return Ok(Some(Arc::clone(node))),
        };
        let made = Type::primitive_type_builder(node.name(), physical)
            .with_repetition(info.repetition())
            .with_length(length)
            .with_id(id);
        return made.build().map(Arc::new).map(Some);
    }
    let children = children_with_bytes(node, moments)?;
    if children.is_empty() {
        return Ok(None);
    }
    let mut made = Type::group_type_builder(node.name())
        .with_converted_type(info.converted_type())
        .with_logical_type(info.logical_type_ref().cloned())
        .with_fields(children)
        .with_id(id);
    if info.has_repetition() {
        made = made.with_repetition(info.repetition());
    }
    made.build().map(Arc::new).map(Some)
}

/// Whether an annotation says that an integer has 8 or 16 of its 32 bits.
fn is_narrow(info: &BasicTypeInfo) -> bool {
    match info.logical_type_ref() {
        Some(logical) => matches!(logical, LogicalType::Integer(integer) if integer.bit_width < 32),
        None => matches!(
            info.converted_type(),
            ConvertedType::INT_8
                | ConvertedType::INT_16
                | ConvertedType::UINT_8
                | ConvertedType::UINT_16
        ),
    }
}

/// Whether an annotation says that bytes are a text.
fn is_text(info: &BasicTypeInfo) -> bool {
    match info.logical_type_ref() {
        Some(logical) => matches!(logical, LogicalType::String | LogicalType::Json),
        None => matches!(info.converted_type(), ConvertedType::UTF8 | ConvertedType::JSON),
    }
}
