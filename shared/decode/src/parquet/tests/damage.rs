//! Files that are damaged, cut off, too large, or swell: refused in words, within bounds.

use super::*;

#[test]
fn an_object_that_becomes_too_large_is_refused() {
    let limits = Limits { max_decoded_bytes: 4_000, ..Limits::default() };
    let asked = Request { limits, ..request(Format::Parquet, &["id"]) };
    let error = read(write(&sample(1_000), groups_of(100)), asked).unwrap_err();
    assert!(matches!(error, DecodeError::TooLarge { limit: 4_000, .. }), "{error}");
}

fn good() -> Vec<u8> {
    write(&sample(300), groups_of(100)).to_vec()
}

#[rstest]
#[case(vec![], "is empty (0 bytes)")]
#[case(b"PAR1".to_vec(), "it is cut off")]
#[case(good()[..2_000].to_vec(), "it is cut off")]
#[case(b"a,b\n1,2\n3,4\n".to_vec(), "the magic bytes `PAR1` are missing")]
#[case([&[0x1f, 0x8b, 8, 0][..], &[0; 40][..]].concat(), "this is a gzip file")]
#[case(b"ARROW1\0\0 and so on and so on".to_vec(), "this is an Arrow IPC file")]
#[case([&good()[..good().len() - 1], b"E"].concat(), "encryption (the footer is encrypted) is not supported")]
#[case([&good()[..good().len() - 8], &[0xff, 0xff, 0, 0], b"PAR1"].concat(), "the footer claims 65535 bytes")]
#[case([&good()[..good().len() - 8], &[9, 0, 0, 0], b"PAR1"].concat(), "the footer is damaged")]
fn what_is_no_parquet_file_is_named(#[case] file: Vec<u8>, #[case] words: &str) {
    let error = read(file.into(), request(Format::Parquet, &["id"])).unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
    assert!(error.to_string().starts_with("s3://bucket/key: "), "{error}");
    assert_eq!(error.disposition(), Disposition::Quarantine);
}

#[test]
fn a_damaged_page_is_named_with_its_column() {
    let rows = sample(300);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut file = write(&rows, properties).to_vec();
    // The first page of the first column begins after the magic bytes.
    file[4..40].fill(0xff);
    let error = read(file.into(), request(Format::Parquet, &["id"])).unwrap_err().to_string();
    assert!(error.contains("column `id` of row group 0"), "{error}");
}

/// Whatever was read around it, and though the bytes of all columns came at once.
#[rstest]
fn damage_is_blamed_on_its_column(
    #[values("id", "name", "price", "at", "blob", "tags.list.item", "place.city", "place.geo.lon")]
    column: &str,
) {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_dictionary_enabled(false)
        .set_max_row_group_row_count(Some(1_000))
        .build();
    let mut file = write(&sample(3_000), properties).to_vec();
    let metadata =
        ParquetMetaDataReader::new().parse_and_finish(&Bytes::from(file.clone())).unwrap();
    let mut columns = metadata.row_group(1).columns().iter();
    let chunk = columns.find(|chunk| chunk.column_path().string() == column).unwrap();
    let (start, bytes) = chunk.byte_range();
    let end = usize::try_from(start + bytes).unwrap();
    file[end - 60..end].fill(0xff);
    let error = read(file.into(), request(Format::Parquet, &ALL)).unwrap_err().to_string();
    assert!(error.contains(&format!("column `{column}` of row group 1; upload")), "{error}");
}

/// One text of a megabyte that 300 rows share, as a dictionary and as what each
/// has in common with the one before: a file of a few kilobytes, batches that end
/// where their rows would take 32 MB.
#[rstest]
#[case::dictionary(Encoding::PLAIN, true)]
#[case::beginnings(Encoding::DELTA_BYTE_ARRAY, false)]
fn a_small_file_does_not_become_large_batches(
    #[case] encoding: Encoding,
    #[case] dictionary: bool,
) {
    let text = "x".repeat(1 << 20);
    let ids = Arc::new(Int64Array::from_iter_values(0..300)) as ArrayRef;
    let texts = Arc::new(StringArray::from_iter_values((0..300).map(|_| text.as_str())));
    let rows = RecordBatch::try_from_iter([("id", ids), ("text", texts as ArrayRef)]).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(Default::default()))
        .set_dictionary_enabled(dictionary)
        .set_dictionary_page_size_limit(4 << 20)
        .set_column_encoding("text".into(), encoding)
        .set_statistics_enabled(EnabledStatistics::None)
        .build();
    let file = write(&rows, properties);
    assert!(file.len() < 20_000, "{}", file.len());
    let mut metadata = ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
    let from = |start_row, file: &Bytes| {
        let plan = BatchPlan::for_chunks(100);
        read(file.clone(), Request { plan, start_row, ..request(Format::Parquet, &["id", "text"]) })
    };
    // A writer that does not say how long the texts are, as most do not.
    let file = without_text_sizes(&file, &mut metadata);
    let found = from(0, &file).unwrap();
    let sizes: Vec<_> = found.iter().map(|batch| batch.batch.num_rows()).collect();
    assert_eq!(sizes, [31, 31, 31, 7].repeat(3));
    assert_eq!(joined(&found, &rows), rows);
    let tail: Vec<_> = found.into_iter().filter(|batch| batch.rows.start >= 200).collect();
    assert_same(&from(200, &file).unwrap(), &tail);
}

/// The same file with another footer.
fn without_text_sizes(file: &Bytes, metadata: &mut ParquetMetaData) -> Bytes {
    let groups = metadata.row_groups().iter().map(|group| {
        let columns = group.columns().iter().map(|chunk| {
            chunk.clone().into_builder().set_unencoded_byte_array_data_bytes(None).build().unwrap()
        });
        let columns = columns.collect();
        group.clone().into_builder().set_column_metadata(columns).build().unwrap()
    });
    let metadata = metadata.clone().into_builder().set_row_groups(groups.collect()).build();
    let length = file[file.len() - 8..].first_chunk::<4>().unwrap();
    let footer = usize::try_from(u32::from_le_bytes(*length)).unwrap() + 8;
    let mut made = file[..file.len() - footer].to_vec();
    ParquetMetaDataWriter::new(&mut made, &metadata).finish().unwrap();
    made.into()
}

#[test]
fn pieces_shrink_to_what_the_texts_of_a_page_need() {
    let text = "x".repeat(1 << 20);
    let texts = Arc::new(StringArray::from_iter_values((0..300).map(|_| text.as_str())));
    let rows = RecordBatch::try_from_iter([("text", texts as ArrayRef)]).unwrap();
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_column_encoding("text".into(), Encoding::DELTA_BYTE_ARRAY)
        .build();
    let file = write(&rows, properties);
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).unwrap();
    let windows = Arc::new(Windows::whole(Arc::new(Counted::new(file.clone())), file));
    let file = File { read: metadata, windows, name: String::new() };
    let mut rows = Rows::begin(file, vec![0], 0, 300, Piece::of(300)).unwrap();
    let mut sizes = Vec::new();
    while let Some(batch) = rows.next().transpose().unwrap() {
        sizes.push(batch.num_rows());
    }
    // What follows the beginning of the first text is all of it: twice a text, as far
    // as the lengths tell.
    assert_eq!(sizes, [vec![32; 9], vec![12]].concat());
}

/// A row of a list can hold all texts of a page.
#[test]
fn pages_of_lists_do_not_become_large_rows() {
    let text = "x".repeat(1 << 20);
    let lists = |rows: usize, texts: usize| {
        let mut lists = ListBuilder::new(arrow::array::StringBuilder::new());
        for _ in 0..rows {
            lists.append_value((0..texts).map(|_| Some(text.as_str())));
        }
        let rows = RecordBatch::try_from_iter([("list", Arc::new(lists.finish()) as ArrayRef)]);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(Default::default()))
            .set_dictionary_enabled(false)
            .set_encoding(Encoding::DELTA_BYTE_ARRAY)
            .build();
        read(write(&rows.unwrap(), properties), request(Format::Parquet, &["list"]))
    };
    let found = lists(10, 20).unwrap();
    assert_eq!(found.iter().map(|batch| batch.batch.num_rows()).sum::<usize>(), 10);
    assert!(found.len() > 1, "some rows at a time");
    let error = lists(1, 300).unwrap_err();
    let words = "a page of 300 values in lists stands for 314572800 bytes of text";
    assert!(error.to_string().contains(words), "{error}");
    assert_eq!(error.disposition(), Disposition::Quarantine);
}

/// A file of one page of 300 numbers whose header states this checksum, which
/// the crate's own writer never does.
fn with_checksum(checksum: impl Fn(&[u8]) -> u32) -> Bytes {
    let rows = RecordBatch::try_from_iter([("id", sample(300).column(0).clone())]).unwrap();
    let properties = WriterProperties::builder().set_dictionary_enabled(false).build();
    let file = write(&rows, properties);
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
    let chunk = metadata.row_group(0).column(0).clone();
    let end = 4 + usize::try_from(chunk.compressed_size()).unwrap();
    let (header, page) = file[4..end].split_at(end - 4 - 2_400);
    // Type, two sizes of 2400; then field 5 comes after field 4 instead of 3.
    assert_eq!(header[..9], [0x15, 0, 0x15, 0xc0, 0x25, 0x15, 0xc0, 0x25, 0x2c]);
    let mut file = [b"PAR1", &header[..8], &[0x15]].concat();
    let signed = i64::from(checksum(page).cast_signed());
    let mut zigzag = ((signed << 1) ^ (signed >> 63)).cast_unsigned();
    while zigzag >= 0x80 {
        file.push(u8::try_from(zigzag & 0x7f).unwrap() | 0x80);
        zigzag >>= 7;
    }
    file.extend([u8::try_from(zigzag).unwrap(), 0x1c]);
    file.extend_from_slice(&header[9..]);
    file.extend_from_slice(page);
    let bytes = i64::try_from(file.len() - 4).unwrap();
    let chunk = chunk.into_builder().set_total_compressed_size(bytes).build().unwrap();
    let group = metadata
        .row_group(0)
        .clone()
        .into_builder()
        .set_column_metadata(vec![chunk])
        .build()
        .unwrap();
    let metadata = metadata.into_builder().set_row_groups(vec![group]).build();
    ParquetMetaDataWriter::new(&mut file, &metadata).finish().unwrap();
    file.into()
}

#[test]
fn pages_are_checked_against_their_checksums() {
    let crc = |page: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(page);
        crc.sum()
    };
    assert_eq!(read(with_checksum(crc), request(Format::Parquet, &["id"])).unwrap().len(), 1);
    let error = read(with_checksum(|page| crc(page) ^ 1), request(Format::Parquet, &["id"]))
        .unwrap_err()
        .to_string();
    assert!(error.contains("CRC checksum mismatch"), "{error}");
}

#[rstest]
#[case(0)]
#[case(1)]
#[case(2)]
fn a_store_that_fails_is_asked_again(#[case] read: usize) {
    let file = Arc::new(Counted::new(write(&numbers(1_300_000), plain(400_000))));
    file.fail_from(read);
    let error = batches(open(file, request(Format::Parquet, &["a", "b"]))).unwrap_err();
    assert!(matches!(error, DecodeError::Unreadable { .. }), "{error}");
    assert_eq!(error.disposition(), Disposition::Retry);
}

/// Files that have most kinds of pages between them.
fn fuzzed(kind: usize) -> Vec<u8> {
    let builder =
        WriterProperties::builder().set_max_row_group_row_count(Some(90)).set_write_batch_size(10);
    let properties = match kind {
        0 => builder.set_data_page_row_count_limit(20),
        1 => builder
            .set_compression(Compression::SNAPPY)
            .set_writer_version(WriterVersion::PARQUET_2_0),
        2 => builder
            .set_compression(Compression::ZSTD(Default::default()))
            .set_dictionary_enabled(false),
        3 => builder
            .set_compression(Compression::LZ4_RAW)
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_dictionary_enabled(false),
        _ => builder.set_dictionary_enabled(false),
    };
    let rows = sample(200);
    write(&rows, properties.build()).to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_files_never_panic(
        kind in 0_usize..5,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        footer in any::<bool>(),
        start_row in prop::sample::select(vec![0_u64, 100]),
    ) {
        let mut file = fuzzed(kind);
        let length = file.len();
        for (place, value) in flips {
            // Half of the damage goes into the footer, where it does most.
            let at = if footer { length - 1 - place.index(length / 3) } else { place.index(length) };
            file[at] = value;
        }
        let asked = Request { start_row, plan: BatchPlan::for_chunks(100), ..request(Format::Parquet, &ALL) };
        if let Ok(found) = read(file.into(), asked) {
            prop_assert!(found.iter().all(|batch| batch.rows.end <= 200));
        }
    }

    #[test]
    fn files_that_are_cut_off_are_refused(kind in 0_usize..5, cut in any::<prop::sample::Index>()) {
        let file = fuzzed(kind);
        let keep = cut.index(file.len());
        prop_assert!(read(Bytes::from(file).slice(..keep), request(Format::Parquet, &ALL)).is_err());
    }
}
