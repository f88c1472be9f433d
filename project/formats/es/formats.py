DATE_FORMAT = r"j \d\e F \d\e Y"
TIME_FORMAT = "H:i T"
DATETIME_FORMAT = r"j \d\e F \d\e Y, H:i T"
MONTH_DAY_FORMAT = r"j \d\e F"
