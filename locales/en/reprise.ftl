### en-CA English

# Reprise, in English (en-CA).
# A snapshot is "taken"; a recovery point is "created". A task is "interrupted"; "Cancel" closes a dialog.
# $…_text is the number as it is to be shown; $count only chooses the variant.

## The frame

app-title = { $page } – Reprise
frame-skip = Skip to content
frame-pages = Menu
frame-nav = Main navigation
nav-home = Home
nav-instances = Instances
nav-volumes = Volumes
nav-snapshots = Snapshots
nav-templates = Templates
nav-activity = Activity log
nav-help = Help
frame-region = { $region } region, { $count ->
    [one] { $count_text } zone
   *[other] { $count_text } zones
}
frame-language = Language
frame-theme = Appearance
theme-system = Same as this device
theme-light = Light
theme-dark = Dark
frame-account = Account of { $name }
sign-out = Sign out
role-owner = Owner
role-editor = Editor
role-viewer = Viewer
role-viewer-note = Your role, Viewer, only lets you look. To make changes, ask an owner of the organization to change your role.
live-lost = The connection to the server has been lost since { $time }: what you see may be out of date. Trying to reconnect.
live-again = Try again now
live-role = Your role has changed: this page still shows what it allowed before.
live-role-again = Reload the page
load-busy = Loading
gone-to-list = Go to the list: { $list }
load-retry = Retry
load-code = Code { $code }
load-stale = What you see here is from { $time }: it could not be refreshed.
pager-label = Pages of the list
pager-where = { $first } to { $last } of { $total }
pager-previous = Previous page
pager-next = Next page
pager-first = First page
pager-last = Last page
pager-all =
    { $count ->
        [one] { $count_text } row
       *[other] { $count_text } rows
    }
list-find = Search by name
list-narrow-label = Narrow the list
list-narrow = Apply
list-all =
    { $field ->
        [zone] All
       *[other] All
    }
list-clear = Clear the filters
list-from = From
list-until = To
list-sort = Sort by
list-sort-own = Most recent first
list-sort-up = { $column }, ascending
list-sort-down = { $column }, descending
list-select-all = Select every row of this page
list-unselect = Clear the selection
list-selected =
    { $count ->
        [one] { $count_text } selected
       *[other] { $count_text } selected
    }
list-none-title = Nothing matches
list-none = No object matches these filters. Remove a word, or clear the filters to see everything.

## Tasks

tasks-count = { $count ->
    [0] No task in progress
    [one] { $count_text } task in progress
   *[other] { $count_text } tasks in progress
}
tasks-title = Tasks
tasks-all = All tasks
tasks-intro = What is in progress, and what has ended lately. Everything else is in the activity log.
tasks-live = In progress
tasks-live-none = Nothing is in progress.
tasks-failed = Failed in the last 24 hours
tasks-ended = Ended in the last hour
tasks-when = { $asked }, ended at { $ended }
tasks-empty = Nothing is in progress. What has ended is in the activity log.
job-kind = { $kind ->
    [create-volume] Creating a volume
    [import-volume] Importing a disk image
    [delete-volume] Deleting a volume
    [take-snapshot] Taking a snapshot
    [delete-snapshot] Deleting a snapshot
    [create-instance] Creating an instance
    [start-instance] Starting an instance
    [stop-instance] Stopping an instance
    [reboot-instance] Restarting an instance
    [delete-instance] Deleting an instance
    [create-point] Creating a recovery point
    [delete-point] Deleting a recovery point
    [rollback] Rolling back an instance
    [create-template] Creating a template
    [import-template] Importing a template
    [delete-template] Deleting a template
    [verify-snapshot] Verifying a snapshot
    [fill-volume] Bringing in a volume’s data
   *[restore-volume] Creating a data volume
}
job-state-queued = Queued
job-state-running = In progress
job-state-running-percent = In progress, { $percent }
job-state-waiting = Next attempt at { $time }
job-state-waiting-soon = Next attempt planned
job-state-succeeded = Completed
job-state-failed = Failed
job-state-interrupted = Interrupted
job-state-interrupting = Interrupting
job-interrupt = Interrupt
job-interrupt-named = Interrupt the task of “{ $name }”
job-retry = Retry
job-retry-named = Retry the task of “{ $name }”
progress-label = Progress of { $name }
progress-of = { $done } of { $total }
progress-of-speed = { $done } of { $total }, { $speed }
progress-of-speed-left = { $done } of { $total }, { $speed }, { $left }
progress-left = { $count ->
    [one] { $time } left
   *[other] { $time } left
}

## Notices

toast-close = Close the notice
toast-many =
    { $count ->
        [one] { $count_text } task has ended
       *[other] { $count_text } tasks have ended
    }
toast-many-failed =
    { $count ->
        [one] { $count_text } did not succeed.
       *[other] { $count_text } did not succeed.
    }
title-percent = { $percent } – {""}
title-tasks = ({ $count }) {""}
title-done = Done – {""}
title-failed = Failed – {""}
toast-see = See the task
toast-leave = You can leave this page.
toast-region = Notices
toast-others = { $count ->
    [one] { $name } and { $count_text } other
   *[other] { $name } and { $count_text } others
}
started = { $kind ->
    [create-volume] The volume is being created.
    [import-volume] The disk image is being imported.
    [delete-volume] The volume is being deleted.
    [take-snapshot] The snapshot is in progress.
    [delete-snapshot] The snapshot is being deleted.
    [create-instance] The instance is being created.
    [start-instance] The instance is starting.
    [stop-instance] The instance is stopping.
    [reboot-instance] The instance is restarting.
    [delete-instance] The instance is being deleted.
    [create-point] The recovery point is being created.
    [delete-point] The recovery point is being deleted.
    [rollback] The instance is being rolled back.
    [create-template] The template is being created.
    [import-template] The template is being imported.
    [delete-template] The template is being deleted.
    [verify-snapshot] The snapshot is being verified.
    [fill-volume] The volume’s data is being brought in.
   *[restore-volume] The data volume is being created.
}
ended-succeeded = { $kind ->
    [create-volume] The volume is ready.
    [import-volume] The disk image is imported: the volume is ready.
    [delete-volume] The volume is deleted.
    [take-snapshot] The snapshot is saved.
    [delete-snapshot] The snapshot is deleted.
    [create-instance] The instance was created.
    [start-instance] The instance is running.
    [stop-instance] The instance is stopped.
    [reboot-instance] The instance has restarted.
    [delete-instance] The instance was deleted.
    [create-point] The recovery point was created.
    [delete-point] The recovery point was deleted.
    [rollback] The instance was rolled back.
    [create-template] The template is ready.
    [import-template] The image was imported: the template is ready.
    [delete-template] The template was deleted.
    [verify-snapshot] The snapshot is verified.
    [fill-volume] All of the volume’s data is in its zone.
   *[restore-volume] The data volume is ready.
}
ended-failed = { $kind ->
    [create-volume] The volume could not be created.
    [import-volume] The disk image could not be imported.
    [delete-volume] The volume could not be deleted.
    [take-snapshot] The snapshot failed.
    [delete-snapshot] The snapshot could not be deleted.
    [create-instance] The instance could not be created.
    [start-instance] The instance could not be started.
    [stop-instance] The instance did not stop.
    [reboot-instance] The instance could not be restarted.
    [delete-instance] The instance could not be deleted.
    [create-point] The recovery point could not be created.
    [delete-point] The recovery point could not be deleted.
    [rollback] The instance could not be rolled back; it is as it was before.
    [create-template] The template could not be created.
    [import-template] The template could not be imported.
    [delete-template] The template could not be deleted.
    [verify-snapshot] The snapshot could not be verified.
    [fill-volume] The volume’s data could not be brought in.
   *[restore-volume] The data volume could not be created.
}
ended-interrupted = { $kind ->
    [create-volume] Creating the volume was interrupted.
    [import-volume] Importing the disk image was interrupted.
    [delete-volume] Deleting the volume was interrupted.
    [take-snapshot] The snapshot was interrupted.
    [delete-snapshot] Deleting the snapshot was interrupted.
    [create-instance] Creating the instance was interrupted.
    [start-instance] Starting the instance was interrupted.
    [stop-instance] Stopping the instance was interrupted.
    [reboot-instance] Restarting the instance was interrupted.
    [delete-instance] Deleting the instance was interrupted.
    [create-point] Creating the recovery point was interrupted.
    [delete-point] Deleting the recovery point was interrupted.
    [rollback] Rolling back the instance was interrupted.
    [create-template] Creating the template was interrupted.
    [import-template] Importing the template was interrupted.
    [delete-template] Deleting the template was interrupted.
    [verify-snapshot] Verifying the snapshot was interrupted.
    [fill-volume] Bringing in the volume’s data was interrupted.
   *[restore-volume] Creating the data volume was interrupted.
}

## Sign-in

sign-in-title = Sign in
sign-in-email = Email
sign-in-password = Password
sign-in-submit = Sign in
password-title = Choose a password
password-what = You signed in with a one-time password. Choose your own to continue.
password-new = New password
password-again = The same, once more
password-submit = Save the password
sign-in-tagline = Your instances, their volumes and their recovery points, on your own machines.
sign-in-left = You have left the organization.

## Acts that lists and dialogs share

act-menu = Action
act-menu-named = Action on { $name }
act-menu-selected = Action on the selection
several-started = The tasks are in progress.
several-take-snapshots = Take snapshots
several-delete-volumes = Delete the volumes
several-verify-snapshots = Verify the snapshots
several-delete-snapshots = Delete the snapshots
several-delete-templates = Delete the templates
several-start-instances = Start the instances
several-stop-instances = Stop the instances
several-delete-instances = Delete the instances
several-delete-points = Delete the recovery points
several-what =
    { $count ->
        [0] This cannot be done to any of the selected objects.
        [one] This will be done to this object:
       *[other] This will be done to these { $count_text } objects:
    }
several-left-out =
    { $count ->
        [one] One object is left out:
       *[other] { $count_text } objects are left out:
    }
several-lost = None of its data will be left: it has no snapshot.
several-volumes = Their volumes
several-volumes-keep = Keep the volumes, detached
several-volumes-all = Delete the volumes, too
several-saves = Data to read and save: at most { $bytes }.
several-tick =
    { $count ->
        [one] I understand that this deletion cannot be undone.
       *[other] I understand that these { $count_text } deletions cannot be undone.
    }
several-submit =
    { $count ->
        [one] Confirm for one object
       *[other] Confirm for { $count_text } objects
    }
act-none-selected = Select one or more rows in the list first.
reason-viewer = Your role, Viewer, lets you look but not make changes.
reason-busy = Another task is already in progress.
reason-failed = It was never completed: it can only be deleted.
reason-in-snapshot = A snapshot of it is being taken.
reason-not-root = Only a snapshot of a root volume can become a template.
reason-not-running = The instance is not running.
reason-not-stopped = Stop the instance first.
reason-not-resting = The instance is already running.
act-select = Select { $name }
act-about = { $act }: { $name }
act-take-snapshot = Take a snapshot
act-create-volume = Create a volume
act-import = Import a disk image
act-restore = Create a data volume
act-delete = Delete
dialog-cancel = Cancel
dialog-close = Close
dialog-confirm = Confirm
dialog-pending = Sending
dialog-optional = optional

## Home

home-title = Home
home-needs = What needs your attention
home-needs-none = Nothing needs your attention.
home-jobs = In progress
home-here = In your organization
home-first-title = First steps
home-first = There is nothing here yet. This is where to begin, in this order or another.
home-first-template = A template holds the system of an instance. Import the disk image of a system that is ready to start.
home-first-instance = An instance is a virtual machine. It is created from a template, with a root volume of its own.
home-first-volume = A data volume is one more disk. It can be attached to an instance that is stopped.
home-first-help = A snapshot keeps one volume in the object store; a recovery point keeps all the disks of an instance, where the instance is.
need-see = View
need-see-all = View the list
need-more = Others are in the same situation.
need-zone-closed = The primary storage of zone { $name } cannot be used: its volumes are out of reach. Tell the person who runs the server.
need-zone-full = The primary storage of zone { $name } is almost full. Free space: { $bytes }. Delete volumes or recovery points that you no longer need.
need-instance-failed = Instance “{ $name }” is in error.
need-volume-failed = Volume “{ $name }” could not be created.
need-volume-not-filling = The data of volume “{ $name }” has stopped coming in: what is missing is read on demand from the object store.
need-snapshot-failed = Snapshot “{ $name }” cannot be used.
need-template-failed = Template “{ $name }” could not be created.
need-no-snapshot = Volume “{ $name }” has no snapshot. If its zone is lost, so is this data: { $bytes }.
need-much-unsaved = A lot of data has been written to volume “{ $name }” since its last snapshot, taken on { $date }: { $bytes }.
need-never-verified = { $count ->
    [one] One snapshot, taken on { $date }, has never been read again to verify it.
   *[other] { $count_text } snapshots, the oldest taken on { $date }, have never been read again to verify them.
}

## Search

search-title = Search
search-label = Search everything
search-submit = Search
search-what = Your organization’s instances, volumes, snapshots, recovery points and templates: by name, description, instance or zone, or by the beginning of an id. The name of a kind of object will do as well: “snapshots mysql” or “disk data”.
search-none-title = Nothing matches “{ $words }”
search-none = Try fewer words, or the beginning of a name.
search-pages = Pages
search-kind =
    { $what ->
        [instance] Instances
        [volume] Volumes
        [snapshot] Snapshots
        [point] Recovery points
       *[template] Templates
    }
search-total =
    { $count ->
        [one] { $count_text } result
       *[other] { $count_text } results
    }
search-more =
    { $count ->
        [one] See { $count_text } more result in the list
       *[other] See { $count_text } more results in the list
    }
search-narrower =
    { $count ->
        [one] And { $count_text } more: narrow your search to see it.
       *[other] And { $count_text } more: narrow your search to see them.
    }
# Every word, singular and plural, that a kind of object or a page is looked for by; never shown.
search-names =
    { $what ->
        [instance] instance instances machine machines virtual vm vms server servers
        [volume] volume volumes disk disks
        [snapshot] snapshot snapshots copy copies backup backups
        [point] point points recovery restore rollback checkpoint checkpoints
        [template] template templates image images
        [activity] activity log logs history audit event events
        [zones] zone zones hypervisor hypervisors space capacity
        [profile] profile account password language theme time session sessions
        [organization] organization member members role roles invitation invitations invite user users team
        [kit] kit recovery key keys
        [any] of the a an and
       *[help] help difference documentation
    }

## Instances

instances-title = Instances
instances-caption = The organization’s instances, newest first
instances-column-name = Instance
instances-column-state = State
instances-empty-title = No instances
instances-empty = An instance is a virtual machine with its volumes. It is created from a template, which holds its system.
instances-empty-viewer = An instance is a virtual machine with its volumes. Nobody has created one in this organization yet.
instance-configuration = { $vcpus } vCPU, { $memory }
instance-tabs = Pages of the instance
instance-tab-overview = Overview
instance-tab-volumes = Volumes
instance-tab-points = Recovery points
instance-tab-activity = Activity
instance-tab-serial = Serial log
instance-points-title = Latest recovery points
instance-points-none = The instance has no recovery point yet.
instance-volume-written = { $written } written of { $size }
instance-zone = Zone
instance-template = Template
instance-config = Configuration
instance-created = Created
instance-started = Last started
instance-memory = Keeping the memory
instance-memory-way = { $way ->
    [running] While the instance runs, hardly standing still
   *[standing] The instance stands still while it is saved
}
instance-accelerator = Acceleration
instance-kvm = KVM: runs directly on the processor
instance-tcg = None (TCG): runs by translation, several times slower
instance-machine = Virtual machine
instance-machine-value = { $machine }, QEMU { $qemu }
instance-cpu = Virtual processor
instance-never = Not started yet
instance-volumes-caption = The instance’s volumes, the root volume first
act-create-instance = Create an instance
act-start = Start
act-stop = Stop
act-reboot = Reboot
act-force-stop = Force stop
act-see-points = View recovery points
act-see-serial = Serial log
act-attach = Attach a volume
act-detach = Detach
act-detach-named = Detach { $name }
create-instance-what = The new instance gets a root volume of its own, made from the template. It can start at once; the rest of its data arrives while it runs.
create-instance-template-option = { $name } ({ $size })
create-instance-template-option-elsewhere = { $name } ({ $size }, another server)
create-instance-submit = Create the instance
create-instance-start = Start the instance once it is created
create-instance-no-hypervisor = Zone { $zone } cannot run instances: QEMU is not installed there. An instance can be created in it, but not started.
create-instance-no-template = An instance is created from a template, and the organization has none that is ready. Import a disk image, or create a template from the snapshot of a root volume.
create-instance-to-templates = Go to templates
start-title = Start an instance
start-what = The instance “{ $name }” will start from its root volume.
stop-title = Stop an instance
stop-what = The instance “{ $name }” will be asked to stop, as if its power button were pressed: its system closes its programs, then shuts down.
stop-deadline = The system has { $time } to shut down. If it does not respond, the instance keeps running and you will be able to force the stop.
force-title = Force stop an instance
force-what = The instance “{ $name }” will be stopped at once, as by a power cut.
force-lost = Everything that is only in its memory will be lost, including what its programs have not finished writing. What is on its volumes stays there.
reboot-title = Reboot an instance
reboot-what = The instance “{ $name }” will be asked to stop, then started again.
attach-what = The volume will be attached to the instance “{ $name }”, which sees it from its next start. Detached data volumes in zone { $zone }:
attach-volume = Volume
attach-submit = Attach
attach-none = No data volume is detached and ready in zone { $zone }.
attach-stopped = Volumes can be attached and detached while the instance is stopped.
detach-title = Detach a volume
detach-what = The volume “{ $volume }” will be detached from the instance “{ $name }”.
detach-keeps = Its data does not change: it can be attached to this instance again, or to another one in the same zone.
detach-gone = This volume is no longer attached to this instance.
delete-instance-title = Delete an instance
delete-instance-what = The instance “{ $name }” will be deleted. This cannot be undone.
delete-instance-points = { $count ->
    [one] Its recovery point will be deleted with it: rolling back to it will no longer be possible.
   *[other] Its { $count_text } recovery points will be deleted with it: rolling back to them will no longer be possible.
}
delete-instance-keep = { $count ->
    [one] Keep its volume, detached
   *[other] Keep its { $count_text } volumes, detached
}
delete-instance-all = { $count ->
    [one] Also delete its volume and its data
   *[other] Also delete its { $count_text } volumes and their data
}
delete-instance-volumes = Volumes of the instance:

## Serial log

serial-what = What the instance writes to its serial console. The oldest lines are erased beyond 4 MiB.
serial-earlier = Show earlier lines
serial-reload = Refresh
serial-empty = The instance has not written anything yet.

## Volumes

volumes-title = Volumes
volumes-caption = The organization’s volumes, newest first
volumes-column-name = Volume
volumes-column-state = State
volumes-column-kind = Type
volumes-column-instance = Instance
volumes-column-zone = Zone
volumes-column-size = Size
volumes-column-written = Data written
volumes-column-snapshots = Snapshots
volume-filling = Some of its data is still in the object store: it is read on demand and brought in.
volume-fill-interrupted = Bringing in its data was interrupted: what is missing stays in the object store and is read from there on demand.
volume-fill-failed = Its data could not be brought in: what is missing stays in the object store and is read from there on demand.
volumes-column-action = Action
volumes-empty-title = No volumes
volumes-empty = A volume is a virtual disk. Create an empty one, or import a disk image: qcow2, VMDK, VDI, VHD, VHDX or raw.
volumes-empty-viewer = A volume is a virtual disk. Nobody has created one in this organization yet.
volumes-unknown = unknown
volume-kind-root = Root
volume-kind-data = Data
volume-state = { $state ->
    [creating] Creating
    [importing] Importing
    [restoring] Restoring
    [ready] Ready
    [in-snapshot] Snapshot in progress
    [deleting] Deleting
   *[failed] Failed
}

## One volume

volume-created = Created
volume-made = Made from
volume-made-empty = Nothing: it was created empty
volume-made-image = A disk image
volume-made-snapshot = Snapshot
volume-made-snapshot-gone = A snapshot, deleted since
volume-made-template = Template “{ $name }”
volume-made-template-gone = A template, deleted since
volume-place-root = Root disk
volume-place = Disk { $number }
volume-open = { $open ->
    [yes] In use at this moment
   *[no] Not in use at this moment
}
volume-detached = Detached
volume-attach-to = Attach to “{ $name }”
volume-attach-none = No stopped instance in this zone can take it.
volume-frees = Space freed if deleted
volume-unsaved-title = What is not saved yet
volume-unsaved-none = Since the last snapshot, taken on { $date }, nothing has been written.
volume-unsaved-since = Written since the last snapshot, taken on { $date }: { $bytes }.
volume-unsaved-origin = There is no snapshot of this volume. What it was made from is in the object store; what was written since is not: { $bytes }.
volume-unsaved-all = There is no snapshot of this volume. The first one will save everything in it: { $bytes }.
volume-unsaved-whole = The next snapshot cannot build on any other: it will save everything in the volume, { $bytes }.
volume-unsaved-unknown = The content of the volume cannot be examined: what is not saved is not known.
volume-unsaved-nothing = There is nothing in the volume to save yet.
volume-snapshots-none = There is no snapshot of this volume.
volume-snapshots-caption = Snapshots of the volume, newest first
volume-snapshots-all = View all { $count } snapshots
volume-growth-title = Growth
volume-growth-told = { $before } on { $date }, { $now } on { $last }
volume-growth-now = Written now
volume-growth-figures = View the figures

## Volume snapshots

snapshots-title = Snapshots
snapshots-intro = Kept in the region’s object store: they can be used in all of its zones.
snapshots-caption = The organization’s volume snapshots, newest first
snapshots-column-name = Name
snapshots-column-state = State
snapshots-column-data = Data
snapshots-column-reclaimable = Reclaimable space
snapshots-column-taken = Taken
snapshots-of = { $volume }, zone { $zone }
snapshots-of-elsewhere = { $volume }, zone { $zone } of another server
snapshots-of-unknown = { $volume }, another server
snapshots-empty-title = No snapshots
snapshots-empty = A snapshot keeps a volume’s content in the region’s object store. It is used to create a data volume, in any zone.
snapshots-empty-help = Snapshot or recovery point: what is the difference?
snapshots-empty-choose = Choose a volume
snapshot-state = { $state ->
    [creating] Creating
    [saving] Saving
    [saved] Saved
    [verified] Verified
    [deleting] Deleting
   *[failed] Failed
}
snapshot-state-saving-percent = Saving, { $percent }

## One snapshot

snapshot-stored = Data sent
snapshot-of = Volume
snapshot-volume-gone = This volume no longer exists.
snapshot-zone = Zone of origin
snapshot-zone-elsewhere = { $zone }, on another server
snapshot-zone-unknown = Another server
snapshot-verified = Last verified
snapshot-verified-never = Never yet
snapshot-next = Next verification
snapshot-next-never = On request only
snapshot-size = Size of the disk
snapshot-holds-title = What it holds
snapshot-holds = Everything that disk “{ $volume }” held on { $date }: { $data } of data, on a disk of { $size }.
snapshot-holds-later = Everything that disk “{ $volume }” held on { $date }; not all of it has been saved yet.
snapshot-holds-nothing = Nothing that can be used: it is not in the object store, or is damaged there.
snapshot-lacks = It does not hold:
snapshot-lacks-memory = the memory of the instance: what its programs were doing;
snapshot-lacks-disks = the other disks of the instance: each volume has its own snapshots, each taken at its own moment;
snapshot-lacks-writes = what the system of the instance had not yet written to the disk.
snapshot-consistency = If a running instance was using the volume, the snapshot is like a disk after a power cut. What the system had finished writing is there; a journaling file system puts itself in order when it is opened.
snapshot-zones-title = Where it can be used
snapshot-zones = A data volume can be created from it in these zones, and used at once:
snapshot-zones-template = It can also become a template, because it was taken of a root volume.
snapshot-zones-none = Nowhere until it is saved.
snapshot-zone-full = Not enough free space for everything in it.
snapshot-used-title = What was made from it
snapshot-used-none = Nothing has been made from it yet.
snapshot-used-template = Template
snapshot-used-volume = Volume
snapshot-used-zone = (zone { $zone })

## Recovery points

points-tree = Recovery points, from the first to the present
points-column-name = Recovery point
points-column-holds = Contents
points-column-created = Created
points-column-frees = Reclaimable space
points-holds-disks = Disks
points-holds-memory = Memory and disks
points-here = You are here
points-folded = { $count ->
    [one] 1 point folded away
   *[other] { $count_text } points folded away
}
points-to-here = Go to “You are here”
points-now = now
points-since = { $bytes } since
points-safety = Safety point
points-safety-name = Before the rollback to “{ $name }”
points-current = Current point
points-unknown = unknown
points-where = Recovery points stay on the hypervisor, in zone { $zone }. If a safety point is created before a rollback, the rollback can be undone for 7 days.
points-undo = Until { $until }, the last rollback can be undone.
points-empty-title = No recovery points
points-empty = A recovery point keeps all of the instance’s disks at the same moment. Create one right before a risky change: you will be able to roll the instance back to it.
points-empty-cost = Nothing is copied: a point takes up space only as the disks change afterwards. It stays in zone { $zone }, on the hypervisor.
points-all = All recovery points
point-create = Create a recovery point
point-restore = Roll back to this point
point-undo = Undo the rollback
point-rename = Rename
point-created = Created
point-by = By
point-holds = Contains
point-disks = { $count ->
    [one] { $count_text } disk
   *[other] { $count_text } disks
}
point-disk = { $name }, { $size }
point-coherence = Consistency
point-instance = Instance
point-running = running
point-stopped = stopped
point-stood-still = Instance frozen
point-memory = State of the memory
point-frees = Reclaimable space
point-hardware = Configuration
point-expires = Expires
point-creating = Being created
point-deleting = Being deleted
create-point-what = { $count ->
    [one] The disk of “{ $name }” will be kept as it is at that moment.
   *[other] The { $count_text } disks of “{ $name }” will be kept as they are, all at the same moment.
}
create-point-name-hint = Without a name, it will be called “{ $proposed }”.
field-description = Description
create-point-frozen = The guest agent answers: the file systems will be frozen for a brief moment, and so be consistent.
create-point-power-cut = The guest agent does not answer: the disks will be as after a power cut. What the system has finished writing to them will be kept.
create-point-one-instant = The disks and the memory will be of the same instant: the guest agent has nothing to freeze.
create-point-stopped = The instance is stopped: its disks are at rest.
create-point-cost = Nothing of the disks is copied: the point takes space only as they change afterwards.
create-point-memory = Keep the state of the memory, too
create-point-memory-running = The instance keeps running and hardly stands still. A rollback will bring it back, running, to that very moment. Up to { $size } on the hypervisor, before compression.
create-point-memory-standing = The instance will stand still until its memory is saved. A rollback will bring it back, running, to that very moment. Up to { $size } on the hypervisor, before compression.
create-point-submit = Finish
rename-point-title = Rename the recovery point
rename-point-submit = Save
delete-point-title = Delete a recovery point
delete-point-what = The recovery point “{ $name }” will be deleted. The instance does not change, but you will no longer be able to roll it back to this point.
delete-point-safety = The safety point created before the rollback to “{ $name }” will be deleted. The instance does not change.
delete-point-submit = Delete the safety point
delete-point-children = { $count ->
    [one] Another point descends from it: it is kept and will descend from the point before.
   *[other] { $count_text } other points descend from it: they are kept and will descend from the point before.
}
delete-point-current = It is the current point: the instance will descend from the point before.
delete-point-undo = It will no longer be possible to undo the last rollback.
points-views = Views of the recovery points
points-view-tree = Tree
points-view-time = By date
points-table = Recovery points by date
point-others = Other actions
point-others-named = Other actions on “{ $name }”
point-compare-here = Compare with the present
point-compare-before = Compare with the point before
point-delete-branch = Delete the branch
compare-title = Comparison: { $from } and { $to }
compare-from = First state
compare-to = Second state
compare-submit = Compare
compare-same = The disks hold the same data.
compare-written = { $bytes } were written to the disks between the two.
compare-at-most = The disks differ by { $bytes } at most: what was written on either side since the two parted.
compare-unknown = How much the disks differ cannot be measured.
compare-between = Time between the two: { $time }.
compare-days = { $days } days
compare-disks = Disks
compare-disk = Disk
compare-differs = Written between
compare-nothing = nothing
compare-most = { $bytes } at most
compare-none = –
compare-was = then { $name }
compare-only-from = only in the first
compare-only-to = only in the second
compare-machine = Instance
compare-moment = Moment
compare-changed = different
delete-branch-title = Delete a branch of recovery points
delete-branch-what = { $count ->
    [0] The recovery point “{ $name }” will be deleted; no other descends from it. This cannot be undone.
    [one] The recovery point “{ $name }” and the one that descends from it will be deleted. This cannot be undone.
   *[other] The recovery point “{ $name }” and the { $count_text } that descend from it will be deleted. This cannot be undone.
}
delete-branch-here = You are in this branch. The instance and its disks do not change; it will descend from “{ $onto }”.
delete-branch-here-none = You are in this branch. The instance and its disks do not change, but it will descend from no recovery point any more.
delete-branch-tick = { $count ->
    [one] I want to delete this recovery point.
   *[other] I want to delete these { $count_text } recovery points.
}
delete-branch-submit = Delete the branch
volume-from-point-what = A new data volume will hold what a disk held at the point “{ $name }”, in the same zone. Neither the point nor the instance changes.
volume-from-point-disk = Disk
volume-from-point-cost = Nothing is copied: the volume takes space only as it changes, and as long as it is there the content of the disk stays even if the point is deleted.
template-from-point-what = The root volume, as it was at the point “{ $name }” ({ $size }), will become a template that all zones of the region can use. Neither the point nor the instance changes, and the point can be deleted afterwards.
template-from-point-only = The template will hold the root volume alone: neither the other disks of the point nor the memory.
rollback-what = “{ $instance }” will be rolled back to “{ $point }”.
undo-what = “{ $instance }” will be what it was right before the rollback to “{ $point }”.
rollback-now = Now
rollback-after = After
rollback-since = { $bytes } since the current point
rollback-disks = What will change
rollback-returns = { $name } goes back to what it was then: { $bytes } change.
rollback-returns-unknown = { $name } goes back to what it was then.
rollback-returns-same = { $name } has not changed since.
rollback-detached = { $name }, attached since, will be detached and kept.
rollback-attached = { $name }, detached since, will be attached again: { $bytes } change.
rollback-attached-unknown = { $name }, detached since, will be attached again and goes back to what it was then.
rollback-comes-back = { $name }, deleted since, will be created again under the name “{ $new }”.
rollback-restart = The instance will be stopped at once, then started again: what is only in its memory will be lost and its network connections will be cut.
rollback-restart-memory = The instance will be stopped at once: what its memory holds now will be lost, unless the safety point keeps it.
rollback-memory = The instance will go on from where it was, running, with its memory and disks of the same moment.
rollback-memory-clock = Its clock will be set if the guest agent answers.
rollback-memory-network = Network connections that were open at that moment will be cut.
rollback-hardware = The processors, the memory or the machine type become those of the point again.
rollback-safety = Create a safety point first
rollback-safety-hint = With it, the rollback can be undone for 7 days.
rollback-safety-memory = Keep the present state of the memory in it, too
rollback-safety-memory-hint = The instance will stand still while it is saved; undoing the rollback will bring it back, running, to this moment. Up to { $size } on the hypervisor, before compression.
undo-safety-hint = With it, you can come back to the present state for 7 days.
rollback-submit = Roll back “{ $name }”
undo-submit = Undo the rollback of “{ $name }”

## Templates

templates-title = Templates
templates-intro = A template is the disk that a new instance starts with. It can be used in all zones of the region.
templates-caption = The organization’s templates, newest first
templates-column-name = Name
templates-column-state = State
templates-column-size = Size
templates-column-data = Data
templates-column-origin = Origin
templates-column-created = Created
templates-elsewhere = Another server
templates-empty-title = No templates
templates-empty = A template holds a system that is ready to start: an instance is created from it. Import a disk image, or create a template from the snapshot of a root volume.
templates-empty-viewer = A template holds a system that is ready to start: an instance is created from it. Nobody has created one in this organization yet.
act-create-template = Create a template
act-import-template = Import a template
act-verify = Verify
verify-what = Everything in “{ $name }” ({ $size }) will be read again from the region’s object store and compared with its fingerprints. The snapshot does not change.
verify-date = Last verified: { $date }.
verify-schedule = Reprise also reads saved snapshots again by itself, one after the other.
verify-submit = Verify
create-template-what = The content of “{ $name }” ({ $size }) will become a template that all zones of the region can use. The snapshot does not change, and can be deleted afterwards.
create-template-submit = Create the template
import-template-what = The file is uploaded, then converted into a template. Accepted formats: qcow2, VMDK, VDI, VHD, VHDX or a raw image. The system in it must start with a BIOS.
delete-template-title = Delete a template
delete-template-what = The template “{ $name }” will be deleted from the region’s object store. This cannot be undone.
delete-template-frees = Space freed in the object store: { $bytes }.
delete-template-keeps = The instances created from this template do not change.

## Activity log

activity-title = Activity log
# In the name of the file.
activity-file = activity
activity-intro = Who did what, when, and how it ended.
activity-caption = The organization’s activity, newest first
activity-column-when = When
activity-column-who = Who
activity-column-act = Action
activity-column-subject = Object
activity-column-outcome = Result
activity-column-reason = Reason
activity-csv = Download as CSV (10,000 entries at most)
activity-file-cut = This file has the first { $there } of { $total } entries. Narrow the log to get the others.
activity-column-door = Through
door-console = Console
door-system = Reprise itself
lately-title = Latest activity
lately-all = View all activity
activity-empty-title = No activity
activity-empty = What the organization’s members do will appear here.
activity-system = Reprise, by itself
activity-sign-in = Sign-in
activity-sign-in-refused = Sign-in refused
activity-sign-out = Sign-out
activity-attach = Attaching a volume
activity-detach = Detaching a volume
activity-rename-point = Changing a recovery point
activity-set-clock = Setting an instance’s clock
activity-snapshot-gone = Deletion of a snapshot by another server
activity-template-gone = Deletion of a template by another server
activity-save-kit = Saving the recovery kit
activity-rename-member = Change of a member’s name
activity-change-password = Change of password
activity-change-password-refused = Change of password refused
activity-end-sessions = Closing of their other sessions
activity-invite = { $role ->
    [owner] Invitation of an owner
    [editor] Invitation of an editor
   *[viewer] Invitation of a viewer
}
activity-withdraw-invitation = Withdrawal of an invitation
activity-join = Joining the organization
activity-change-role = { $role ->
    [owner] New role: Owner
    [editor] New role: Editor
   *[viewer] New role: Viewer
}
activity-remove-member = Removal of a member
activity-leave = Departure from the organization
activity-interrupt = { $kind ->
    [create-volume] Interrupting the creation of a volume
    [import-volume] Interrupting an import
    [delete-volume] Interrupting the deletion of a volume
    [take-snapshot] Interrupting a snapshot
    [delete-snapshot] Interrupting the deletion of a snapshot
    [create-instance] Interrupting the creation of an instance
    [create-point] Interrupting the creation of a recovery point
    [create-template] Interrupting the creation of a template
    [import-template] Interrupting the import of a template
    [verify-snapshot] Interrupting the verification of a snapshot
    [fill-volume] Interrupting the bringing in of a volume’s data
   *[restore-volume] Interrupting the creation of a data volume
}
activity-retry = { $kind ->
    [create-volume] New attempt to create a volume
    [import-volume] New attempt to import
    [delete-volume] New attempt to delete a volume
    [take-snapshot] New attempt to take a snapshot
    [delete-snapshot] New attempt to delete a snapshot
    [create-instance] New attempt to create an instance
    [start-instance] New attempt to start an instance
    [stop-instance] New attempt to stop an instance
    [reboot-instance] New attempt to restart an instance
    [delete-instance] New attempt to delete an instance
    [create-point] New attempt to create a recovery point
    [delete-point] New attempt to delete a recovery point
    [rollback] New attempt to roll back an instance
    [create-template] New attempt to create a template
    [import-template] New attempt to import a template
    [delete-template] New attempt to delete a template
    [verify-snapshot] New attempt to verify a snapshot
    [fill-volume] New attempt to bring in a volume’s data
   *[restore-volume] New attempt to create a data volume
}
outcome-done = Success
outcome-running = In progress
outcome-interrupted = Interrupted
outcome-failed = Failed

## Dialogs

take-snapshot-what = A snapshot of “{ $name }” will be saved to the object store of the { $region } region, for use in { $count ->
    [one] its zone
   *[other] its { $count_text } zones
}. The volume stays usable meanwhile.
take-snapshot-name = Name
take-snapshot-name-hint = Without a name, it will be called “{ $proposed }”.
take-snapshot-plan-since = At most { $bytes } to transfer: what changed since the snapshot taken on { $since }, out of { $written } of written data.
take-snapshot-plan-nothing = Nothing changed since the snapshot taken on { $since }: next to nothing will be transferred.
take-snapshot-plan-origin = At most { $bytes } to transfer: what was written since the volume was created. The rest is in the object store already.
take-snapshot-plan-origin-nothing = Nothing was written since the volume was created: next to nothing will be transferred.
take-snapshot-plan-all = At most { $bytes } to transfer: all the written data, because no earlier snapshot of this volume can serve as a base.
take-snapshot-limits = A snapshot holds neither an instance’s memory nor its other disks.
take-snapshot-help = Snapshot or recovery point?

create-volume-what = An empty data volume. It takes up space only as data is written to it.
field-name = Name
field-zone = Zone
field-zone-option = { $zone } ({ $free } free)
create-volume-size = Size, in GiB
create-volume-size-hint = From { $min } to { $max } GiB.

import-what = The file is uploaded, then converted into a volume. Accepted formats: qcow2, VMDK, VDI, VHD, VHDX or a raw image.
import-file = File
import-kind = Type
import-kind-root = Root volume (system)
import-kind-data = Data volume
import-submit = Import
import-sending = Uploading: { $percent }
import-sending-of = { $done } of { $total } uploaded
import-sent = File received. Checking it.
import-stop = Stop the upload
import-progress = Upload progress

restore-what = The content of “{ $name }” ({ $size }) will be copied to a new data volume, in the zone you choose. The snapshot does not change.
restore-submit = Create the volume

delete-volume-title = Delete a volume
delete-volume-what = The volume “{ $name }” and its data will be deleted. This cannot be undone.
delete-frees = Space freed in the zone: { $bytes }.
delete-volume-keeps = { $count ->
    [one] Its snapshot stays in the region’s object store: a data volume can be created from it again.
   *[other] Its { $count_text } snapshots stay in the region’s object store: a data volume can be created from them again.
}
delete-volume-lost = There is no snapshot of this volume: what it holds will be lost.
delete-volume-tick = I understand that this data will be lost.
delete-snapshot-title = Delete a snapshot
delete-snapshot-what = The snapshot “{ $name }” will be deleted from the region’s object store. This cannot be undone.
delete-snapshot-frees = Space freed in the object store: { $bytes }. The rest is shared with other snapshots.
delete-snapshot-keeps = The other snapshots stay whole, and volumes created from this one do not change.
delete-submit = Delete “{ $name }”

## Recovery kit

kit-title = Recovery kit
# In the name of the file.
kit-file = kit
kit-lead = The organization’s snapshots and templates are encrypted in the object store. The kit is a file with the organization’s keys, protected by a passphrase. Without this kit and without the server’s data folder, nobody can read the organization’s snapshots.
kit-owners = Only the organization’s Owners can save its recovery kit.
kit-reminder = There is no up-to-date recovery kit. Without one and without the server’s data folder, nobody will be able to read the organization’s snapshots.
kit-reminder-save = Save the kit
kit-reminder-later = Later
kit-saved = Last kit saved: { $date }, by { $who }. It has all of the organization’s keys.
kit-outdated = Last kit saved: { $date }, by { $who }. The organization has a new key since: save a new kit.
kit-never = No kit has been saved yet.
kit-nothing = The organization has nothing in the object store yet. You can save its kit already.
kit-passphrase = Passphrase
kit-passphrase-rule = At least { $min } characters. Several unrelated words work well.
kit-again = The same, once more
kit-submit = Download the kit
kit-keep-title = How to keep it
kit-keep-apart = Keep the kit and its passphrase in two different places, away from the server and from the object store.
kit-keep-lost = The passphrase is not kept anywhere. If it is lost, download another kit while the server works.
kit-keep-again = Each download is written in the activity log. Older kits keep their own passphrase.
kit-keep-use = On another machine, the kit is used with the command

## Zones: for operators

zones-title = Zones
zones-intro = How the installation stands: the zones and their space, the object store, the hypervisor, work in progress. Of the organizations, this page shows only numbers.
zones-operators = This page is for the operators of the installation. On the server’s own machine, this command appoints them:
zones-troubles = Needs attention
zones-sound = Everything works. Nothing needs your attention.
zones-grave = Outage
zones-look = Worth a look
zones-card = { $what ->
    [archive] Object store of the region
    [hypervisor] Hypervisor
    [program] Reprise
   *[zone] Zone { $name }
}
zones-of = { $done } of { $total }
zones-room = { $taken } of { $total } ({ $percent })
zones-share = { $size }, or { $percent } of the capacity
zones-apart-caption = What primary storage holds and the catalog does not know, kept in quarantine
zones-apart = In quarantine
zones-apart-intro = Nothing is deleted: the catalog may have been restored from an older backup. The identifier is the storage engine’s.
zones-apart-kind = What
zones-apart-id = Identifier
zones-apart-found = Found
zones-work = Work
zones-work-caption = Tasks in progress, waiting and failed, by kind, of all organizations
zones-work-none = No task is in progress or waiting, and none has failed in the last 24 hours.
zones-work-kind = Task
zones-work-state = State
zones-work-count = Number
zones-work-since = Since
zones-work-why = Reason
zones-work-own = Recorded in the organization’s activity log
zones-work-next = Next attempt { $date }
zones-fact = { $fact ->
    [pool] Primary storage
    [room] Space in use
    [free] Free for writing
    [used] Data of volumes and recovery points
    [memories] Memory kept in recovery points
    [reserve] Reserve for deletions and tasks in progress
    [promised] Total size of the volumes
    [file-system] File system
    [instances] Running instances
    [memory] Memory given to instances
    [memory-available] Memory available on the machine
    [vcpus] Virtual processors given, processors of the machine
    [volumes] Volumes
    [poisoned] Volumes with a failed write
    [damaged] Damaged volumes
    [filling] Volumes still to be fetched
    [layers] Layers
    [open-layers] Layers open for writing
    [checkpoints] Checkpoints
    [bases] Bases for differences
    [unsealed] Checkpoints to be sealed
    [reclaimed] Space last reclaimed
    [reclaimed-bytes] Space reclaimed then
    [store-kind] Kind
    [store-place] Place
    [store-host] Service
    [store-region] Region of the service
    [store-writers] Servers
    [store-mark] Mark
    [store-answers] Answers
    [store-since] Has not answered since
    [store-asked] Last asked
    [store-took] Response time
    [store-read] Organizations read since the start
    [store-snapshots] Snapshots and templates
    [store-objects] Objects
    [store-bytes] Size of the objects
    [store-unneeded] Size of what is no longer needed
    [store-holds] Holds
    [store-condemned] Objects to be removed by the next prune
    [store-damaged] Damaged objects
    [compared] Last compared with the catalog
    [pruned] Last pruned
    [pruned-bytes] Space freed then
    [kits] Organizations without an up-to-date recovery kit
    [qemu] QEMU
    [why] Reason given by QEMU
    [accelerator] Acceleration
    [without-kvm] Why not KVM
    [memory-way] Memory of a running instance
    [why-standing] Reason given by QEMU
    [sandbox] QEMU’s sandbox
    [machine] Machine of new instances
    [cpu] Processor of new instances
    [health] State of the server
    [version] Version
    [formats] Formats of the catalog, of primary storage, of the object store
   *[opened] In service since
}
zones-word = { $word ->
    [closed] Closed
    [damaged] Damaged
    [given-up] Drawn upon
    [folder] Folder on this machine
    [bucket] S3 bucket
    [alone] This one only
    [many] May be shared
    [yes] Yes
    [no] No
    [asking] Asking
    [none] Absent
    [kvm] KVM
    [tcg] Translation (TCG)
    [no-processor] The processor offers this system no virtualization
    [no-device] /dev/kvm is absent
    [no-permission] The server may not open /dev/kvm
    [no-start] QEMU does not start with KVM
    [running] Kept while the instance runs
    [standing] Kept while the instance is paused
    [on] On
    [off] Off
    [serves] The server answers (/healthz)
    [volume] Volume
    [checkpoint] Checkpoint
   *[not-yet] Not yet
}
zones-trouble = { $what ->
    [store-silent] The object store has not answered, or has refused, since { $since }. Saves wait and will go on by themselves. Check the network and the access rights, or mount its folder.
    [store-other] The object store is not the same one as before, since { $since }. Nothing is written into it. Bring the old one back; to change it on purpose, remove the file keys/store in the data folder.
    [store-full] The object store has been full since { $since }. Give it more room, or delete snapshots.
    [store-key] The key of the object store is not this server’s, since { $since }. Import the recovery kit:
    [store-damaged] { $count ->
        [one] One object of the object store is damaged or cannot be read.
       *[other] { $count_text } objects of the object store are damaged or cannot be read.
    } A check tells which snapshots are affected:
    [zone-dropped] The zone { $subject } is not in the configuration any more. Its volumes are kept; it takes no new ones. Put it back, or empty it.
    [apart] { $count ->
        [one] The zone { $subject } holds one item that the catalog does not know.
       *[other] The zone { $subject } holds { $count_text } items that the catalog does not know.
    } If the catalog comes from a backup, they may be newer than it.
    [pool-damaged] The primary storage of the zone { $subject } is damaged and stays closed. The server’s log names the file; nothing is served from it.
    [pool-closed] The primary storage of the zone { $subject } could not be opened. The server’s log says why, under this reference:
    [pool-unmeasured] The space of the zone { $subject } cannot be measured. Check that its file system is mounted.
    [pool-full] The zone { $subject } is full: instances that write come to a stop. Delete recovery points or volumes, or enlarge its file system.
    [pool-low] Less than 10% of the space is left in the zone { $subject }. Delete recovery points, or enlarge its file system.
    [poisoned] { $count ->
        [one] In the zone { $subject }, the machine’s disk did not confirm a write of one volume.
       *[other] In the zone { $subject }, the machine’s disk did not confirm writes of { $count_text } volumes.
    } Check that disk, then roll the affected instances back to a recovery point.
    [damaged] { $count ->
        [one] In the zone { $subject }, one volume is damaged: it does not open.
       *[other] In the zone { $subject }, { $count_text } volumes are damaged: they do not open.
    } The server’s log names the files. Create them again from a snapshot.
    [reclaim-failed] In the zone { $subject }, space could not be reclaimed the last time. The next deletion tries again; the server’s log says why.
    [no-hypervisor] No instance can run: QEMU is absent or does not start. Install qemu-system-x86, then restart Reprise.
    [no-processor] Instances run by translation, which is much slower: the processor offers this system no virtualization. Turn it on in the BIOS, or in the hypervisor that carries this machine.
    [no-device] Instances run by translation, which is much slower: /dev/kvm is absent. Load the module kvm_intel or kvm_amd, then restart Reprise.
    [no-permission] Instances run by translation, which is much slower: the server may not open /dev/kvm. Add its user to the group kvm, then restart Reprise.
    [no-start] Instances run by translation, which is much slower: QEMU does not start with KVM. The server’s log has its message.
    [standing] Keeping the memory of an instance pauses it: QEMU cannot do it here while it runs. A kernel with userfaultfd (Linux 5.7) allows it.
    [no-sandbox] QEMU runs without its sandbox: this version refuses it. Install your distribution’s.
    [memory-promised] The running instances have more memory together than the machine. Stop some, or add memory.
   *[kits] { $count ->
        [one] One organization has no up-to-date recovery kit.
       *[other] { $count_text } organizations have no up-to-date recovery kit.
    } If the data folder were lost, their snapshots could not be read any more. One kit for all is made on the server’s own machine:
}

## Profile

profile-title = Profile
profile-intro = Your name, your preferences, your password and your sessions.
profile-saved = Your profile is saved.
profile-who = You and the console
profile-member = Your place in the organization
profile-name = Name
profile-language-browser = What the browser asks for
profile-time-zone = Time zone
profile-time-zone-hint = All times in the console are in this time zone.
profile-time-zone-organization = The organization’s ({ $zone })
profile-save = Save the profile
profile-password-current = Current password
profile-password-rule = At least { $min } characters. Several unrelated words work well.
profile-password-what = Your other sessions will end; this one stays.
profile-password-submit = Change the password
profile-password-saved = Your password is changed. Your other sessions have ended.
profile-sessions = Your sessions
profile-session-this = This one.
profile-session = Began { $since }, last used { $seen }
profile-sessions-end = End the other sessions
profile-sessions-ended = Your other sessions have ended.

## Organization

organization-title = Organization
organization-region = { $region } region
organization-members = Members
organization-role = Role
organization-seen = Last visit
organization-seen-never = Never
organization-you = You
organization-manage = Manage
organization-manage-named = Manage { $name }
organization-invitations = Pending invitations
organization-asker = Invited by
organization-until = Valid until
organization-withdraw = Withdraw
organization-withdraw-named = Withdraw the invitation of { $email }
organization-withdrawn = The invitation is withdrawn. Its link no longer works.
organization-removed = This member is removed from the organization and has no access any more.
organization-invite = Invite by link
organization-invite-what = Reprise sends no email: you get a link to pass on yourself. It works once, for { $days } days. A new invitation to the same address replaces the older one.
organization-invite-submit = Create the link
organization-roles = An owner can do everything, managing members included. An editor can do everything but manage members. A viewer can only look.
organization-link = Invitation link
organization-link-what = The invitation is made. Copy this link now and pass it on to the person invited: it will not be shown again. Anyone who has it can join the organization in their place.
member-role = Role in the organization
member-role-save = Change the role
member-role-saved = The role is changed. It holds from now on.
member-remove = Remove from the organization
member-remove-what = { $name } will lose access at once: all their sessions and the invitations they made will end. Nothing that belongs to the organization is deleted, and what this person did stays in the activity log, under their name. To come back, they will need a new invitation.
member-remove-sure = I understand that { $name } will no longer have access to the organization.
member-remove-submit = Remove { $name }
member-leave = Leave the organization
member-leave-what = You will lose access at once: all your sessions and the invitations you made will end. Nothing that belongs to the organization is deleted, and what you did stays in the activity log, under your name. To come back, you will need a new invitation.
member-leave-sure = I understand that I will no longer have access to the organization.
member-leave-submit = Leave the organization

## Invitation

join-title = Invitation
join-heading = Join { $organization }
join-what = { $who } invites you to the organization { $organization }. Your role: { $role }.
join-submit = Join the organization
join-not-usable-title = This link cannot be used


## Help

help-title = Snapshot or recovery point?
help-lead = Both keep the state of disks at one moment. They serve different purposes, and neither replaces a backup kept somewhere else.
help-snapshot-title = A volume snapshot
help-snapshot-what = It keeps the content of a single volume as it was at the moment it was taken. Its data is saved to the region’s object store, away from the zone’s disks: it outlives the volume and can be used in every zone of the region.
help-snapshot-when = Take a snapshot:
help-snapshot-when-1 = to keep a volume’s data before deleting or changing it;
help-snapshot-when-2 = to create an identical data volume, in the same zone or another;
help-snapshot-when-3 = so that a volume’s content survives the loss of its zone’s storage.
help-snapshot-cost-title = What it costs
help-snapshot-cost = The volume stays usable while it is saved. The first snapshot transfers all the written data; later ones, only what changed since. The column “Reclaimable space” tells what deleting a snapshot would free: whatever other snapshots still use is kept.
help-not-title = What a snapshot does not hold
help-not-memory = The instance’s memory: what a program has not yet written to disk is not in it. The disk is as it would be after a power cut.
help-not-disks = Other disks: each snapshot is of one volume only. Two snapshots taken one after the other are not of the same moment.
help-not-settings = The instance’s configuration, network and name.
help-not-backup = A second place: if the region’s object store is lost, so are its snapshots. Keep a backup outside the region of whatever you cannot afford to lose.
help-point-title = An instance’s recovery point
help-point-what = It keeps all the disks of an instance at the same moment. It stays in the zone, on the hypervisor: going back to it is immediate, but it is lost with the zone’s storage and cannot be used elsewhere.
help-point-when = Create a recovery point just before a risky change, to be able to bring the instance back to where it was.
help-point-memory = If the instance is running, its memory can be kept as well: it then goes on from that instant without starting again. Without the memory it starts again from its disks, as after a power cut.
help-compare-title = In short
help-compare-caption = Snapshot and recovery point compared
help-compare-question = Question
help-compare-snapshot = Snapshot
help-compare-point = Recovery point
help-compare-of = Of what?
help-compare-of-snapshot = one volume
help-compare-of-point = all the disks of one instance
help-compare-memory = With memory?
help-compare-memory-snapshot = never
help-compare-memory-point = if you ask for it
help-compare-where = Where?
help-compare-where-snapshot = in the region’s object store
help-compare-where-point = in the zone, on the hypervisor
help-compare-use = What for?
help-compare-use-snapshot = creating a volume in any zone
help-compare-use-point = bringing the instance back
help-words = Other software uses “snapshot” for both. Here, each has its own name.

## Unknown page

missing-title = This page does not exist
missing-what = The address is wrong, or what it named is gone.
missing-back = Go to the home page

## What did not succeed: what happened, then what you can do

fault-sign-in-needed = Your session has ended. Sign in to continue.
fault-wrong-credentials = The email or the password is wrong. Check them, then try again.
fault-too-many-attempts = Too many attempts to sign in. Try again in { $time }.
fault-password-change-needed = Your password is for one use only. Choose your own before you continue.
fault-password-too-short = This password is too short: it takes at least { $min } characters.
fault-passwords-differ = The two passwords are not the same. Type them again.
fault-wrong-password = The current password is wrong. Type it again; nothing was changed.
fault-address-unreadable = This is not an email address. Type it as name@domain.
fault-address-not-free = This address cannot be invited. Check it in the list of members, or ask the person for another address.
fault-invitation-not-usable = This invitation cannot be used: it has been used, has expired or was withdrawn, or the link is incomplete. Copy the whole link again, or ask the organization for another.
fault-last-owner = There is no other owner, and the organization must keep one. Give this role to another member first.
fault-own-role = You cannot change your own role. Ask another owner of the organization.
fault-time-zone-unknown = This time zone is not known. Choose one from the list.
fault-not-confirmed = Nothing was done. Tick the box to confirm that you understand.
fault-passphrase-too-short = This passphrase is too short: it takes at least { $min } characters.
fault-passphrases-differ = The two passphrases are not the same. Type them again.
fault-not-allowed = Your role does not allow this. Ask an owner of the organization.
fault-not-found = { $what ->
    [volume] This volume does not exist, or no longer does. Refresh the list of volumes.
    [snapshot] This snapshot does not exist, or no longer does. Refresh the list of snapshots.
    [zone] This zone does not exist, or no longer does. Choose another.
    [job] This task does not exist, or no longer does. See the activity log.
    [instance] This instance does not exist, or no longer does. Refresh the list of instances.
    [point] This recovery point does not exist, or no longer does. Refresh the page of recovery points.
    [member] This member does not exist, or no longer does. Refresh the page of the organization.
    [invitation] This invitation does not exist, or no longer does. Refresh the page of the organization.
    [template] This template does not exist, or no longer does. Refresh the list of templates.
   *[page] This page does not exist. Go back to the home page.
}
fault-foreign-origin = The request came from a page that is not Reprise’s and was refused. Reload the page, then try again.
fault-bad-request = The request was incomplete or malformed. Reload the page, then try again.
fault-name-empty = Give a name.
fault-name-too-long = This name is too long: { $max } characters at most.
fault-name-unreadable = This name has invisible characters. Type it again on the keyboard.
fault-name-taken = The name “{ $name }” is already taken. Choose another.
fault-size-out-of-range = The size must be from { $min } to { $max } GiB.
fault-in-use = “{ $name }” is busy with another task, or its state does not allow this. Wait for the task to end, then try again.
fault-snapshot-not-usable = The snapshot “{ $name }” is not in the object store. Wait until it is saved, or choose another.
fault-pool-full = The zone { $zone } has not enough space: { $free } free. Delete volumes, or choose another zone.
fault-upload-cut-off = The upload stopped before the end of the file. Nothing was created; try again.
fault-upload-missing = No file was received. Choose a file, then try again.
fault-not-a-disk-image = This file is not a disk image that can be read. Choose a qcow2, VMDK, VDI, VHD, VHDX or raw image.
fault-image-not-self-contained = This image depends on another file. Convert it to a self-contained image (with qemu-img convert, for example), then try again.
fault-image-too-large = This image needs { $needed }, and the zone has only { $free } free. Free some space, or choose another zone.
fault-importer-missing = The server cannot convert images: qemu-img is not installed on it. Tell the person who runs the server.
fault-object-store-unavailable = The region’s object store does not answer or refuses to be written. Nothing is lost; try again later.
fault-object-store-other = The object store is not the one that this region has used so far. The person who runs the server must name the former one again; nothing is lost.
fault-object-store-full = The region’s object store is full. Delete snapshots, then try again.
fault-object-store-key-missing = The snapshots of this organization are encrypted, and this server does not have the key. The person who runs the server must import the recovery kit; nothing is lost.
fault-object-store-key-wrong = The snapshots of this organization are encrypted with another key than the one this server has. The person who runs the server must import the right recovery kit; nothing is lost.
fault-server-full = The server’s disk is full. Tell the person who runs the server, then try again.
fault-snapshot-damaged = This snapshot is damaged in the object store (object { $object }). It was not restored; take another, or tell the person who runs the server.
fault-volume-damaged = The data of the volume “{ $name }” is damaged. Nothing was read from it; tell the person who runs the server.
fault-hypervisor-missing = This zone cannot run instances: QEMU is not installed there. Tell whoever runs the server.
fault-start-failed = The instance “{ $name }” could not be started. Try again; if it keeps failing, tell whoever runs the server.
fault-instance-died = The instance “{ $name }” ended without being asked to. Its volumes are intact: you can start it again.
fault-disk-stopped = The instance “{ $name }” is waiting: one of its volumes cannot be written any more. Free some space in the zone; it will go on by itself.
fault-stop-ignored = The instance “{ $name }” did not answer the request to shut down within { $time } and is still running. Shut it down from its own system, or force it to stop.
fault-must-be-stopped = Stop the instance “{ $name }” first.
fault-must-be-running = Start the instance “{ $name }” first.
fault-attached = The volume “{ $name }” is attached to the instance “{ $instance }”. Detach it first.
fault-not-attachable = The volume “{ $name }” cannot be attached to this instance. It takes a data volume that is ready, detached and in the same zone, and an instance can have seven of them at most.
fault-no-offering = Choose processors and memory from the list.
fault-not-bootable = No system can start from “{ $name }”: the disk has no boot sector. Choose a snapshot of a root volume, or an image that holds a system.
fault-needs-uefi = “{ $name }” starts with UEFI only, which the hypervisor does not offer. Choose an image that starts with a BIOS.
fault-not-a-root-volume = “{ $name }” is a snapshot of a data volume. A template is made from a snapshot of a root volume.
fault-disk-elsewhere = The volume “{ $volume }” of this point is now attached to the instance “{ $instance }”. Detach it from there, then try again.
fault-no-memory-to-keep = The instance “{ $name }” is not running: it has no memory to keep. Start it, or create the point without memory.
fault-memory-elsewhere = The memory in this point was saved with { $then }; this zone now has { $now }. The instance cannot go on there from where it was, but data volumes can still be made of the point’s disks.
fault-memory-damaged = The memory in the point “{ $name }” is damaged or missing on the hypervisor. The instance was not rolled back and is as it was. Data volumes can still be made of the point’s disks.
fault-memory-not-saved = The memory of the instance “{ $name }” could not be saved. The point was not created and the instance is running. Try again, or create the point without memory.
fault-clock-not-set = The guest agent did not answer: the instance’s clock is still that of the recovery point. Set it inside the instance.
fault-no-safety-point = The safety point could not be created. The rollback did not begin, and the instance is as it was. Check the free space of the zone, then try again.
fault-plan-outdated = The instance has changed since this dialog was opened. Check what will change, then confirm again.
fault-several-refused = { $started ->
    [0] The action did not begin on any of the chosen objects.
    [one] The action has begun on { $started_text } object.
   *[other] The action has begun on { $started_text } objects.
} { $refused ->
    [one] { $refused_text } object was left out, “{ $name }”: { $reason }
   *[other] { $refused_text } objects were left out, “{ $name }” among them: { $reason }
}
fault-text-too-long = This description is too long: { $max } characters at most.
fault-not-undoable = This rollback can no longer be undone. Choose the recovery point to go back to in the tree.
fault-not-interruptible = This task can no longer be interrupted. Wait for it to end.
fault-not-retryable = This task cannot be retried. Start the action again.
fault-interrupted = The task was interrupted by a member. Start it again if needed.
fault-unreachable = The server does not answer. Check your connection, then try again.
fault-internal = Something went wrong on our side. Try again; if it keeps happening, give the reference { $reference } to the person who runs the server.

## Numbers, sizes and dates

size-b = { $count ->
    [one] { $text } byte
   *[other] { $text } bytes
}
size-kib = { $text } KiB
size-mib = { $text } MiB
size-gib = { $text } GiB
size-tib = { $text } TiB
size-pib = { $text } PiB
size-rate = { $size }/s
number-group = { "," }
number-point = { "." }
number-percent = { $text }%
time-milliseconds = { $text } ms
time-seconds = { $seconds } s
time-minutes = { $minutes } min
time-hours = { $hours } h
time-hours-minutes = { $hours } h { $minutes } min
date-month = { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[12] December
}
date-month-short = { $month ->
    [1] Jan.
    [2] Feb.
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] Aug.
    [9] Sept.
    [10] Oct.
    [11] Nov.
   *[12] Dec.
}
date-day = { $count ->
    [1] { $text }
   *[other] { $text }
}
date-short = { $month } { $day }, { $year }
date-time-short = { $date }, { $time }
date-time-sentence = { $month } { $day }, { $year } at { $time }
# 12 or 24: how far the hours of the clock are counted.
date-hours = 12
date-clock = { $half ->
    [am] { $hour }:{ $minute } a.m.
   *[pm] { $hour }:{ $minute } p.m.
}
date-clock-sharp = { $half ->
    [am] { $hour }:00 a.m.
   *[pm] { $hour }:00 p.m.
}

## Time zones: the parts of the world; places come from CLDR

time-zone-part = { $part ->
    [Africa] Africa
    [America] America
    [Antarctica] Antarctica
    [Arctic] Arctic
    [Asia] Asia
    [Atlantic] Atlantic Ocean
    [Australia] Australia
    [Indian] Indian Ocean
    [Pacific] Pacific Ocean
   *[Europe] Europe
}
time-zone-montreal = Montréal

## States of instances, points and templates

instance-state = { $state ->
    [creating] Being created
    [stopped] Stopped
    [starting] Starting
    [running] Running
    [stopping] Stopping
    [failed] In error
   *[deleting] Being deleted
}
template-state = { $state ->
    [creating] Being created
    [ready] Ready
    [failed] Failed
   *[deleting] Being deleted
}
point-consistency = { $consistency ->
    [stopped] Instance stopped
    [frozen] File systems frozen
    [memory] Memory and disks of the same instant
   *[power-cut] As after a power cut
}
