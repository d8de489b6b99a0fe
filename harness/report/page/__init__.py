"""The leaderboard as one static page: a view-model made of records, and what it is shown with."""
