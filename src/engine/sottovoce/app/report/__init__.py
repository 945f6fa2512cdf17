"""A session as one page that can be given away: ``sottovoce report``, and the same in the browser."""
