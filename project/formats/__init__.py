"""Format dates and times where Django's formats are not this site's: times have their time zone."""
