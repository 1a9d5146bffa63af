from datetime import datetime


def explain(job_name: str, moment: datetime) -> str:
    return ""
