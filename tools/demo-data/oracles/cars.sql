SELECT
    `Name` AS name,
    `Origin` AS origin,
    `Year` AS year,
    `Miles_per_Gallon` AS miles_per_gallon,
    `Cylinders` AS cylinders,
    `Displacement` AS displacement,
    `Horsepower` AS horsepower,
    `Weight_in_lbs` AS weight_lbs,
    `Acceleration` AS acceleration
FROM input('
    `Name` String, `Miles_per_Gallon` Nullable(Decimal(4, 1)), `Cylinders` UInt8, `Displacement` Decimal(5, 1),
    `Horsepower` Nullable(UInt16), `Weight_in_lbs` UInt16, `Acceleration` Decimal(4, 1), `Year` Date,
    `Origin` String')
