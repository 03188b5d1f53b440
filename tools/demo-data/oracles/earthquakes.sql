WITH arrayJoin(features) AS feature
SELECT
    feature.id AS id,
    fromUnixTimestamp64Milli(feature.properties.time, 'UTC') AS time,
    fromUnixTimestamp64Milli(feature.properties.updated, 'UTC') AS updated,
    feature.properties.mag AS magnitude,
    feature.properties.magType AS magnitude_type,
    feature.properties.place AS place,
    feature.geometry.coordinates[1] AS longitude,
    feature.geometry.coordinates[2] AS latitude,
    feature.geometry.coordinates[3] AS depth_km,
    feature.properties.type AS event_type,
    feature.properties.status AS status,
    CAST(feature.properties.tsunami, 'Bool') AS tsunami,
    feature.properties.sig AS significance,
    ifNull(feature.properties.felt, 0) AS felt_reports,
    feature.properties.alert AS alert,
    feature.properties.nst AS stations,
    feature.properties.gap AS gap_degrees,
    feature.properties.rms AS rms_seconds
FROM input('features Array(Tuple(
    id String,
    properties Tuple(
        mag Float64, place String, time Int64, updated Int64, felt Nullable(UInt32), alert Nullable(String),
        status String, tsunami UInt8, sig UInt16, nst Nullable(UInt16), rms Nullable(Float64),
        gap Nullable(Float64), magType String, type String),
    geometry Tuple(coordinates Array(Float64))))')
