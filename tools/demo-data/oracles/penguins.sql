SELECT
    `Species` AS species,
    `Island` AS island,
    `Beak Length (mm)` AS beak_length_mm,
    `Beak Depth (mm)` AS beak_depth_mm,
    `Flipper Length (mm)` AS flipper_length_mm,
    `Body Mass (g)` AS body_mass_g,
    `Sex` AS sex
FROM input('
    `Species` String, `Island` String, `Beak Length (mm)` Nullable(Decimal(4, 1)),
    `Beak Depth (mm)` Nullable(Decimal(4, 1)), `Flipper Length (mm)` Nullable(UInt16),
    `Body Mass (g)` Nullable(UInt16), `Sex` Nullable(String)')
WHERE sex IS NULL OR sex != '.'
