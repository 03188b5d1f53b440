SELECT
    toUInt16((position - 1) % width) AS x,
    toUInt16(intDiv(position - 1, width)) AS y,
    elevation
FROM input('width UInt16, height UInt16, values Array(UInt16)')
ARRAY JOIN values AS elevation, arrayEnumerate(values) AS position
