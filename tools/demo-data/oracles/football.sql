SELECT date, division, home_team, away_team, home_score, away_score
FROM input('
    date Date, division String, home_team String, away_team String, home_score Nullable(UInt8),
    away_score Nullable(UInt8)')
WHERE home_score IS NOT NULL
