"""How dates and times are written where Django's own way is not this site's: times have their zone."""
