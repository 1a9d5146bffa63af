import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Node',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='Host name and process id.', max_length=255)),
                ('declares', models.JSONField(default=list, help_text='The names of the jobs in its code.')),
                ('release', models.CharField(blank=True, help_text='The digest of all that its code declares.', max_length=32)),
                ('started_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('stopped_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ('-id',),
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Release',
            fields=[
                ('digest', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('declares', models.JSONField(help_text='The declared values of each job, by its name.')),
                ('since', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'ordering': ('-since', 'digest'),
            },
        ),
        migrations.CreateModel(
            name='ZoneRules',
            fields=[
                ('digest', models.CharField(max_length=16, primary_key=True, serialize=False)),
                ('steps', models.JSONField(help_text='From when (POSIX time) which offset (seconds) holds.')),
            ],
            options={
                'verbose_name_plural': 'zone rules',
            },
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('actor', models.CharField(max_length=255)),
                ('surface', models.CharField(choices=[('admin', 'admin'), ('cli', 'command line'), ('grpc', 'gRPC'), ('code', 'Python code')], max_length=10)),
                ('action', models.CharField(choices=[('pause', 'pause'), ('resume', 'resume'), ('trigger', 'run now'), ('cancel', 'cancel a run')], max_length=10)),
                ('job_name', models.CharField(max_length=100)),
                ('reason', models.TextField(blank=True)),
                ('changed', models.BooleanField(help_text='False: the job was in that state already.')),
            ],
            options={
                'verbose_name_plural': 'audit entries',
                'ordering': ('-id',),
                'indexes': [models.Index(fields=['job_name', '-id'], name='audit_by_job'), models.Index(fields=['at'], name='audit_by_age')],
            },
        ),
        migrations.CreateModel(
            name='Installation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200)),
                ('since', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'base_manager_name': 'objects',
                'constraints': [models.CheckConstraint(condition=models.Q(('pk', 1)), name='scheduler_one_installation')],
            },
        ),
        migrations.CreateModel(
            name='Job',
            fields=[
                ('name', models.CharField(max_length=100, primary_key=True, serialize=False)),
                ('description', models.TextField(blank=True)),
                ('cron', models.CharField(max_length=200, verbose_name='cron expression')),
                ('timezone', models.CharField(max_length=64, verbose_name='time zone')),
                ('jitter', models.PositiveIntegerField(default=0, help_text='Seconds.')),
                ('zone_rules', models.CharField(blank=True, help_text='Which rules of the time zone are in force.', max_length=16)),
                ('overlap', models.CharField(choices=[('skip', 'skip the new occurrence'), ('allow', 'let both run'), ('queue', 'let one wait'), ('cancel_previous', 'cancel the one that is going')], default='skip', max_length=20)),
                ('catch_up', models.CharField(choices=[('skip', 'none runs'), ('once', 'the latest runs'), ('all', 'each runs, oldest first')], default='skip', max_length=10)),
                ('catch_up_limit', models.PositiveIntegerField(default=100)),
                ('retries', models.PositiveSmallIntegerField(default=0)),
                ('retry_delay', models.FloatField(default=60.0, help_text='Seconds.')),
                ('retry_max_delay', models.FloatField(default=3600.0, help_text='Seconds.')),
                ('timeout', models.FloatField(blank=True, help_text='Seconds.', null=True)),
                ('isolated', models.BooleanField(default=False, help_text='Has a process of its own.')),
                ('paused_at', models.DateTimeField(blank=True, null=True)),
                ('orphaned_at', models.DateTimeField(blank=True, help_text="Since when no scheduler's code declares this job.", null=True)),
                ('run_count', models.PositiveBigIntegerField(default=0, verbose_name='successes')),
                ('error_count', models.PositiveBigIntegerField(default=0, verbose_name='failures')),
                ('skip_count', models.PositiveBigIntegerField(default=0, verbose_name='skipped')),
                ('miss_count', models.PositiveBigIntegerField(default=0, verbose_name='missed')),
                ('accounted_to', models.DateTimeField(blank=True, help_text='The last occurrence that was accounted for, whatever has become of its row.', null=True)),
                ('pruned_to', models.DateTimeField(blank=True, help_text='The history is complete only after this moment.', null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ('name',),
                'permissions': (('pause_job', 'Can pause a job'), ('resume_job', 'Can resume a job'), ('trigger_job', 'Can run a job now')),
                'constraints': [models.CheckConstraint(condition=models.Q(('overlap__in', ['skip', 'allow', 'queue', 'cancel_previous'])), name='job_overlap_is_known'), models.CheckConstraint(condition=models.Q(('catch_up__in', ['skip', 'once', 'all'])), name='job_catch_up_is_known')],
            },
        ),
        migrations.CreateModel(
            name='JobCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('job_name', models.CharField(max_length=100)),
                ('run_count', models.PositiveIntegerField(default=0)),
                ('error_count', models.PositiveIntegerField(default=0)),
                ('skip_count', models.PositiveIntegerField(default=0)),
                ('miss_count', models.PositiveIntegerField(default=0)),
                ('accounted_to', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['job_name'], name='count_by_job')],
            },
        ),
        migrations.CreateModel(
            name='SchedulePeriod',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('job_name', models.CharField(max_length=100, verbose_name='job')),
                ('cron', models.CharField(max_length=200, verbose_name='cron expression')),
                ('timezone', models.CharField(max_length=64, verbose_name='time zone')),
                ('jitter', models.PositiveIntegerField(default=0, help_text='Seconds.')),
                ('zone_rules', models.CharField(blank=True, max_length=16)),
                ('state', models.CharField(choices=[('active', 'active'), ('paused', 'paused'), ('orphaned', 'orphaned')], max_length=10)),
                ('begins_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField(blank=True, null=True)),
                ('reason', models.TextField(blank=True)),
            ],
            options={
                'ordering': ('job_name', 'id'),
                'indexes': [models.Index(fields=['job_name', 'begins_at'], name='period_by_job')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('ends_at', None)), fields=('job_name',), name='job_has_one_open_period'), models.CheckConstraint(condition=models.Q(('ends_at', None), ('ends_at__gte', models.F('begins_at')), _connector='OR'), name='period_ends_after_it_begins')],
            },
        ),
        migrations.CreateModel(
            name='JobRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('job_name', models.CharField(max_length=100, verbose_name='job')),
                ('trigger', models.CharField(choices=[('schedule', 'schedule'), ('manual', 'on request')], default='schedule', max_length=10)),
                ('scheduled_for', models.DateTimeField(help_text='The moment in the schedule; for a request, the moment of asking.')),
                ('due_at', models.DateTimeField(help_text="scheduled_for plus this occurrence's jitter.")),
                ('first_scheduled_for', models.DateTimeField(blank=True, null=True)),
                ('occurrences', models.PositiveIntegerField(default=1)),
                ('attempt', models.PositiveSmallIntegerField(default=1)),
                ('requested_by', models.CharField(blank=True, max_length=255)),
                ('state', models.CharField(choices=[('queued', 'queued'), ('running', 'running'), ('success', 'success'), ('failed', 'failed'), ('cancelled', 'cancelled'), ('lost', 'lost'), ('skipped', 'skipped'), ('missed', 'missed')], default='queued', max_length=10, verbose_name='result')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('cancel_requested_at', models.DateTimeField(blank=True, null=True)),
                ('cancel_reason', models.TextField(blank=True)),
                ('message', models.TextField(blank=True, help_text='The error of a failed run; why a run was skipped, missed, cancelled or lost.', verbose_name='error or reason')),
                ('traceback', models.TextField(blank=True)),
                ('log', models.TextField(blank=True, help_text='What the job logged and printed.')),
                ('metadata', models.JSONField(blank=True, default=dict)),
                ('first_attempt', models.ForeignKey(blank=True, db_constraint=False, db_index=False, help_text='For a retry: the run that failed first.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='attempts', to='scheduler_app.jobrun')),
                ('node', models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='runs', to='scheduler_app.node')),
            ],
            options={
                'verbose_name': 'run',
                'ordering': ('-id',),
                'permissions': (('cancel_jobrun', 'Can cancel a run'),),
                'base_manager_name': 'objects',
                'indexes': [models.Index(condition=models.Q(('finished_at__isnull', False)), fields=['job_name', '-finished_at'], name='run_last_outcome'), models.Index(condition=models.Q(('finished_at__isnull', False), ('started_at__isnull', False)), fields=['job_name', '-finished_at'], name='run_last_executed'), models.Index(condition=models.Q(('finished_at__isnull', True)), fields=['job_name'], name='run_active'), models.Index(condition=models.Q(('first_attempt__isnull', False)), fields=['first_attempt'], name='run_retries'), models.Index(condition=models.Q(('finished_at__isnull', True), ('started_at__isnull', True)), fields=['due_at'], name='run_not_begun'), models.Index(fields=['finished_at'], name='run_by_age'), models.Index(condition=models.Q(('first_scheduled_for__isnull', False)), fields=['scheduled_for'], name='run_of_several')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('trigger', 'schedule')), fields=('job_name', 'scheduled_for', 'attempt'), name='run_once_per_occurrence'), models.CheckConstraint(condition=models.Q(('state__in', ['queued', 'running', 'success', 'failed', 'cancelled', 'lost', 'skipped', 'missed'])), name='run_state_is_known'), models.CheckConstraint(condition=models.Q(models.Q(models.Q(('state__in', ('queued', 'running'))), ('finished_at', None)), models.Q(models.Q(('state__in', ('queued', 'running')), _negated=True), ('finished_at__isnull', False)), _connector='OR'), name='run_is_finished_iff_state_is_final'), models.CheckConstraint(condition=models.Q(models.Q(('state__in', ('queued', 'running')), _negated=True), models.Q(('started_at__isnull', True), ('state', 'queued')), models.Q(('started_at__isnull', False), ('state', 'running')), _connector='OR'), name='run_has_begun_iff_it_is_not_queued')],
            },
        ),
        migrations.CreateModel(
            name='Heartbeat',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('claimed_at', models.DateTimeField(help_text='When it last completed a look for due jobs.', null=True)),
                ('recorded_at', models.DateTimeField(help_text='When it last recorded outcomes, or had none to record.', null=True)),
                ('executed_at', models.DateTimeField(help_text='When all runs that were handed over had begun.', null=True)),
                ('problem', models.TextField(blank=True, default='', help_text='Why it does not work.')),
                ('problem_since', models.DateTimeField(help_text='Since when it does not work.', null=True)),
                ('node', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='heartbeats', to='scheduler_app.node')),
            ],
            options={
                'base_manager_name': 'objects',
                'indexes': [models.Index(fields=['node', '-id'], name='scheduler_heartbeat_newest')],
            },
        ),
    ]
