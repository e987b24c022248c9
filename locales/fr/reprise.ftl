### fr-CA Français

# Reprise, en français (fr-CA).
# On vouvoie. Une copie est « prise », un point est « créé ». Une tâche est « interrompue » ; « Annuler » ferme un dialogue.
# Espaces : insécable (U+00A0) devant « : », à l’intérieur des guillemets, entre un nombre et son unité ; fine insécable (U+202F) devant « ; », « ! » et « ? ».
# $…_text est le nombre déjà mis en forme ; $count sert à choisir la variante.

## Le cadre

app-title = { $page } – Reprise
frame-skip = Aller au contenu
frame-pages = Menu
frame-nav = Navigation principale
nav-home = Accueil
nav-instances = Instances
nav-volumes = Volumes
nav-snapshots = Copies instantanées
nav-templates = Modèles
nav-activity = Journal d’activités
nav-help = Aide
frame-region = Région { $region }, { $count ->
    [one] { $count_text } zone
   *[other] { $count_text } zones
}
frame-language = Langue
frame-theme = Apparence
theme-system = Comme l’appareil
theme-light = Claire
theme-dark = Sombre
frame-account = Compte de { $name }
sign-out = Se déconnecter
role-owner = Propriétaire
role-editor = Éditeur
role-viewer = Observateur
role-viewer-note = Votre rôle, Observateur, permet de consulter. Pour agir, demandez à un propriétaire de l’organisation de changer votre rôle.
live-lost = La connexion avec le serveur est coupée depuis { $time } : ce que vous voyez n’est peut-être plus à jour. La console tente de se reconnecter.
live-again = Réessayer maintenant
live-role = Votre rôle a changé : cette page montre encore ce qu’il permettait avant.
live-role-again = Recharger la page
load-busy = Chargement en cours
gone-to-list = Aller à la liste : { $list }
load-retry = Réessayer
load-code = Code { $code }
load-stale = L’affichage n’a pas pu être actualisé : ce que vous voyez date de { $time }.
pager-label = Pages de la liste
pager-where = { $first } à { $last } sur { $total }
pager-previous = Page précédente
pager-next = Page suivante
pager-first = Première page
pager-last = Dernière page
pager-all =
    { $count ->
        [one] { $count_text } ligne
       *[other] { $count_text } lignes
    }
list-find = Chercher par nom
list-narrow-label = Filtrer la liste
list-narrow = Appliquer
list-all =
    { $field ->
        [zone] Toutes
       *[other] Tous
    }
list-clear = Effacer les filtres
list-from = Du
list-until = Au
list-sort = Trier par
list-sort-own = Plus récents d’abord
list-sort-up = { $column }, ordre croissant
list-sort-down = { $column }, ordre décroissant
list-select-all = Sélectionner toutes les lignes de cette page
list-unselect = Tout désélectionner
list-selected =
    { $count ->
        [one] { $count_text } élément sélectionné
       *[other] { $count_text } éléments sélectionnés
    }
list-none-title = Aucun résultat
list-none = Aucun élément ne correspond à ces filtres. Retirez un mot, ou effacez les filtres pour tout voir.

## Tâches

tasks-count = { $count ->
    [0] Aucune tâche en cours
    [one] { $count_text } tâche en cours
   *[other] { $count_text } tâches en cours
}
tasks-title = Tâches
tasks-all = Toutes les tâches
tasks-intro = Ce qui est en cours, et ce qui s’est terminé dernièrement. Tout le reste se trouve dans le journal.
tasks-live = En cours
tasks-live-none = Rien n’est en cours.
tasks-failed = En échec depuis 24 heures
tasks-ended = Terminées depuis une heure
tasks-when = { $asked }, terminée à { $ended }
tasks-empty = Rien n’est en cours. Ce qui est terminé se trouve dans le journal d’activités.
job-kind = { $kind ->
    [create-volume] Création d’un volume
    [import-volume] Importation d’une image disque
    [delete-volume] Suppression d’un volume
    [take-snapshot] Prise d’une copie instantanée
    [delete-snapshot] Suppression d’une copie instantanée
    [create-instance] Création d’une instance
    [start-instance] Démarrage d’une instance
    [stop-instance] Arrêt d’une instance
    [reboot-instance] Redémarrage d’une instance
    [delete-instance] Suppression d’une instance
    [create-point] Création d’un point de reprise
    [delete-point] Suppression d’un point de reprise
    [rollback] Restauration d’une instance
    [create-template] Création d’un modèle
    [import-template] Importation d’un modèle
    [delete-template] Suppression d’un modèle
    [verify-snapshot] Vérification d’une copie instantanée
    [fill-volume] Rapatriement des données d’un volume
   *[restore-volume] Création d’un volume de données
}
job-state-queued = En attente
job-state-running = En cours
job-state-running-percent = En cours, { $percent }
job-state-waiting = Nouvelle tentative prévue à { $time }
job-state-waiting-soon = Nouvelle tentative prévue
job-state-succeeded = Terminée
job-state-failed = Échec
job-state-interrupted = Interrompue
job-state-interrupting = Interruption en cours
job-interrupt = Interrompre
job-interrupt-named = Interrompre la tâche de « { $name } »
job-retry = Réessayer
job-retry-named = Réessayer la tâche de « { $name } »
progress-label = Avancement de { $name }
progress-of = { $done } sur { $total }
progress-of-speed = { $done } sur { $total }, { $speed }
progress-of-speed-left = { $done } sur { $total }, { $speed }, { $left }
progress-left = { $count ->
    [one] { $time } restante
   *[other] { $time } restantes
}

## Avis

toast-close = Fermer l’avis
toast-many =
    { $count ->
        [one] { $count_text } tâche s’est terminée
       *[other] { $count_text } tâches se sont terminées
    }
toast-many-failed =
    { $count ->
        [one] { $count_text } n’a pas abouti.
       *[other] { $count_text } n’ont pas abouti.
    }
title-percent = { $percent } – {""}
title-tasks = ({ $count }) {""}
title-done = Terminé – {""}
title-failed = Échec – {""}
toast-see = Voir la tâche
toast-leave = Vous pouvez quitter cette page.
toast-region = Avis
toast-others = { $count ->
    [one] { $name } et { $count_text } autre
   *[other] { $name } et { $count_text } autres
}
started = { $kind ->
    [create-volume] La création du volume est en cours.
    [import-volume] L’importation de l’image disque est en cours.
    [delete-volume] La suppression du volume est en cours.
    [take-snapshot] La copie instantanée est en cours.
    [delete-snapshot] La suppression de la copie instantanée est en cours.
    [create-instance] La création de l’instance est en cours.
    [start-instance] Le démarrage de l’instance est en cours.
    [stop-instance] L’arrêt de l’instance est en cours.
    [reboot-instance] Le redémarrage de l’instance est en cours.
    [delete-instance] La suppression de l’instance est en cours.
    [create-point] La création du point de reprise est en cours.
    [delete-point] La suppression du point de reprise est en cours.
    [rollback] La restauration de l’instance est en cours.
    [create-template] La création du modèle est en cours.
    [import-template] L’importation du modèle est en cours.
    [delete-template] La suppression du modèle est en cours.
    [verify-snapshot] La vérification de la copie instantanée est en cours.
    [fill-volume] Le rapatriement des données du volume est en cours.
   *[restore-volume] La création du volume de données est en cours.
}
ended-succeeded = { $kind ->
    [create-volume] Le volume est prêt.
    [import-volume] L’image disque est importée : le volume est prêt.
    [delete-volume] Le volume est supprimé.
    [take-snapshot] La copie instantanée est sauvegardée.
    [delete-snapshot] La copie instantanée est supprimée.
    [create-instance] L’instance est créée.
    [start-instance] L’instance est en marche.
    [stop-instance] L’instance est arrêtée.
    [reboot-instance] L’instance a redémarré.
    [delete-instance] L’instance est supprimée.
    [create-point] Le point de reprise est créé.
    [delete-point] Le point de reprise est supprimé.
    [rollback] L’instance est restaurée.
    [create-template] Le modèle est prêt.
    [import-template] L’image est importée : le modèle est prêt.
    [delete-template] Le modèle est supprimé.
    [verify-snapshot] La copie instantanée est vérifiée.
    [fill-volume] Toutes les données du volume sont dans sa zone.
   *[restore-volume] Le volume de données est prêt.
}
ended-failed = { $kind ->
    [create-volume] La création du volume a échoué.
    [import-volume] L’importation de l’image disque a échoué.
    [delete-volume] La suppression du volume a échoué.
    [take-snapshot] La copie instantanée a échoué.
    [delete-snapshot] La suppression de la copie instantanée a échoué.
    [create-instance] La création de l’instance a échoué.
    [start-instance] Le démarrage de l’instance a échoué.
    [stop-instance] L’instance ne s’est pas arrêtée.
    [reboot-instance] Le redémarrage de l’instance a échoué.
    [delete-instance] La suppression de l’instance a échoué.
    [create-point] La création du point de reprise a échoué.
    [delete-point] La suppression du point de reprise a échoué.
    [rollback] La restauration de l’instance a échoué ; l’instance est comme avant.
    [create-template] La création du modèle a échoué.
    [import-template] L’importation du modèle a échoué.
    [delete-template] La suppression du modèle a échoué.
    [verify-snapshot] La vérification de la copie instantanée a échoué.
    [fill-volume] Le rapatriement des données du volume a échoué.
   *[restore-volume] La création du volume de données a échoué.
}
ended-interrupted = { $kind ->
    [create-volume] La création du volume a été interrompue.
    [import-volume] L’importation de l’image disque a été interrompue.
    [delete-volume] La suppression du volume a été interrompue.
    [take-snapshot] La copie instantanée a été interrompue.
    [delete-snapshot] La suppression de la copie instantanée a été interrompue.
    [create-instance] La création de l’instance a été interrompue.
    [start-instance] Le démarrage de l’instance a été interrompu.
    [stop-instance] L’arrêt de l’instance a été interrompu.
    [reboot-instance] Le redémarrage de l’instance a été interrompu.
    [delete-instance] La suppression de l’instance a été interrompue.
    [create-point] La création du point de reprise a été interrompue.
    [delete-point] La suppression du point de reprise a été interrompue.
    [rollback] La restauration de l’instance a été interrompue.
    [create-template] La création du modèle a été interrompue.
    [import-template] L’importation du modèle a été interrompue.
    [delete-template] La suppression du modèle a été interrompue.
    [verify-snapshot] La vérification de la copie instantanée a été interrompue.
    [fill-volume] Le rapatriement des données du volume a été interrompu.
   *[restore-volume] La création du volume de données a été interrompue.
}

## Connexion

sign-in-title = Se connecter
sign-in-email = Courriel
sign-in-password = Mot de passe
sign-in-submit = Se connecter
password-title = Choisir un mot de passe
password-what = Vous avez ouvert une session avec un mot de passe à usage unique. Choisissez le vôtre pour continuer.
password-new = Nouveau mot de passe
password-again = Le même, une seconde fois
password-submit = Enregistrer le mot de passe
sign-in-tagline = Vos instances, leurs volumes et leurs points de reprise, sur vos propres machines.
sign-in-left = Vous avez quitté l’organisation.

## Actions communes aux listes et aux dialogues

act-menu = Action
act-menu-named = Action sur { $name }
act-menu-selected = Action sur la sélection
several-started = Les tâches sont en cours.
several-take-snapshots = Prendre des copies instantanées
several-delete-volumes = Supprimer les volumes
several-verify-snapshots = Vérifier les copies instantanées
several-delete-snapshots = Supprimer les copies instantanées
several-delete-templates = Supprimer les modèles
several-start-instances = Démarrer les instances
several-stop-instances = Arrêter les instances
several-delete-instances = Supprimer les instances
several-delete-points = Supprimer les points de reprise
several-what =
    { $count ->
        [0] Cette action n’est possible sur aucun des éléments sélectionnés.
        [one] L’action portera sur cet élément :
       *[other] L’action portera sur ces { $count_text } éléments :
    }
several-left-out =
    { $count ->
        [one] Un élément est laissé de côté :
       *[other] { $count_text } éléments sont laissés de côté :
    }
several-lost = Rien n’en restera : aucune copie instantanée.
several-volumes = Leurs volumes
several-volumes-keep = Garder les volumes, détachés
several-volumes-all = Supprimer aussi les volumes
several-saves = Données à lire et à sauvegarder : { $bytes } au plus.
several-tick =
    { $count ->
        [one] Je comprends que cette suppression est définitive.
       *[other] Je comprends que ces { $count_text } suppressions sont définitives.
    }
several-submit =
    { $count ->
        [one] Confirmer pour un élément
       *[other] Confirmer pour { $count_text } éléments
    }
act-none-selected = Sélectionnez d’abord une ou plusieurs lignes de la liste.
reason-viewer = Votre rôle, Observateur, permet de consulter, pas de modifier.
reason-busy = Une autre tâche est déjà en cours.
reason-failed = La création n’a pas abouti : seule la suppression est possible.
reason-in-snapshot = Une copie instantanée de ce volume est en cours.
reason-not-root = Seule la copie instantanée d’un volume principal peut devenir un modèle.
reason-not-running = L’instance n’est pas en marche.
reason-not-stopped = Arrêtez d’abord l’instance.
reason-not-resting = L’instance est déjà en marche.
act-select = Sélectionner { $name }
act-about = { $act } : { $name }
act-take-snapshot = Prendre une copie instantanée
act-create-volume = Créer un volume
act-import = Importer une image disque
act-restore = Créer un volume de données
act-delete = Supprimer
dialog-cancel = Annuler
dialog-close = Fermer
dialog-confirm = Confirmer
dialog-pending = Envoi en cours
dialog-optional = facultatif

## Accueil

home-title = Accueil
home-needs = Ce qui demande votre attention
home-needs-none = Rien ne demande votre attention.
home-jobs = En cours
home-here = Dans votre organisation
home-first-title = Premiers pas
home-first = Il n’y a encore rien ici. Voici par où commencer, dans cet ordre ou dans un autre.
home-first-template = Un modèle contient le système d’une instance. Importez l’image disque d’un système prêt à démarrer.
home-first-instance = Une instance est une machine virtuelle. Elle se crée à partir d’un modèle, avec son propre volume principal.
home-first-volume = Un volume de données est un disque de plus. Il peut être rattaché à une instance arrêtée.
home-first-help = Une copie instantanée garde un volume dans le stockage d’objets ; un point de reprise garde tous les disques d’une instance, là où elle est.
need-see = Voir
need-see-all = Voir la liste
need-more = D’autres sont dans le même cas.
need-zone-closed = Le stockage primaire de la zone { $name } ne peut pas être utilisé : ses volumes sont hors d’atteinte. Signalez-le à la personne qui gère le serveur.
need-zone-full = Le stockage primaire de la zone { $name } est presque plein. Espace libre : { $bytes }. Supprimez des volumes ou des points de reprise devenus inutiles.
need-instance-failed = L’instance « { $name } » est en erreur.
need-volume-failed = Le volume « { $name } » n’a pas pu être créé.
need-volume-not-filling = Le rapatriement des données du volume « { $name } » s’est arrêté : ce qui manque est lu à la demande dans le stockage d’objets.
need-snapshot-failed = La copie instantanée « { $name } » ne peut pas servir.
need-template-failed = Le modèle « { $name } » n’a pas pu être créé.
need-no-snapshot = Le volume « { $name } » n’a aucune copie instantanée. Si sa zone est perdue, ces données le sont aussi : { $bytes }.
need-much-unsaved = Beaucoup de données ont été écrites sur le volume « { $name } » depuis sa dernière copie instantanée, prise { $date } : { $bytes }.
need-never-verified = { $count ->
    [one] Une copie instantanée n’a encore jamais été relue pour être vérifiée. Elle a été prise { $date }.
   *[other] { $count_text } copies instantanées n’ont encore jamais été relues pour être vérifiées. La plus ancienne a été prise { $date }.
}

## Recherche

search-title = Recherche
search-label = Rechercher dans tout
search-submit = Rechercher
search-what = Instances, volumes, copies instantanées, points de reprise et modèles de votre organisation : par leur nom, leur description, leur instance ou leur zone, ou par le début d’un identifiant. Le nom d’une sorte d’objet suffit aussi : « copies mysql » ou « disque données ».
search-none-title = Rien ne correspond à « { $words } »
search-none = Essayez avec moins de mots, ou avec le début d’un nom.
search-pages = Pages
search-kind =
    { $what ->
        [instance] Instances
        [volume] Volumes
        [snapshot] Copies instantanées
        [point] Points de reprise
       *[template] Modèles
    }
search-total =
    { $count ->
        [one] { $count_text } résultat
       *[other] { $count_text } résultats
    }
search-more =
    { $count ->
        [one] Voir { $count_text } résultat de plus dans la liste
       *[other] Voir { $count_text } résultats de plus dans la liste
    }
search-narrower =
    { $count ->
        [one] Et { $count_text } autre : précisez votre recherche pour le voir.
       *[other] Et { $count_text } autres : précisez votre recherche pour les voir.
    }
# Tous les mots, au singulier et au pluriel, par lesquels on cherche une sorte d’objets ou une page ; jamais affichés.
search-names =
    { $what ->
        [instance] instance instances machine machines virtuelle virtuelles vm vms serveur serveurs
        [volume] volume volumes disque disques
        [snapshot] copie copies instantané instantanés instantanée instantanées cliché clichés snapshot snapshots sauvegarde sauvegardes
        [point] point points reprise reprises restauration restaurations restaurer checkpoint checkpoints
        [template] modèle modèles gabarit gabarits
        [activity] journal activité activités historique audit événement événements
        [zones] zone zones hyperviseur hyperviseurs espace capacité
        [profile] profil compte mot passe langue apparence fuseau horaire session sessions
        [organization] organisation membre membres rôle rôles invitation invitations inviter utilisateur utilisateurs équipe
        [kit] trousse récupération clé clés
        [any] de du des la le les un une et
       *[help] aide différence documentation
    }

## Instances

instances-title = Instances
instances-caption = Instances de l’organisation, de la plus récente à la plus ancienne
instances-column-name = Instance
instances-column-state = État
instances-empty-title = Aucune instance
instances-empty = Une instance est une machine virtuelle, avec ses volumes. Elle se crée à partir d’un modèle, qui contient son système.
instances-empty-viewer = Une instance est une machine virtuelle, avec ses volumes. Personne n’en a encore créé dans cette organisation.
instance-configuration = { $vcpus } vCPU, { $memory }
instance-tabs = Pages de l’instance
instance-tab-overview = Aperçu
instance-tab-volumes = Volumes
instance-tab-points = Points de reprise
instance-tab-activity = Activité
instance-tab-serial = Journal série
instance-points-title = Derniers points de reprise
instance-points-none = L’instance n’a encore aucun point de reprise.
instance-volume-written = { $written } écrits sur { $size }
instance-zone = Zone
instance-template = Modèle
instance-config = Configuration
instance-created = Créée
instance-started = Dernier démarrage
instance-memory = Conservation de la mémoire
instance-memory-way = { $way ->
    [running] Pendant que l’instance est en marche, à peine figée
   *[standing] L’instance est figée le temps de l’enregistrement
}
instance-accelerator = Accélération
instance-kvm = KVM : exécution directe sur le processeur
instance-tcg = Aucune (TCG) : exécution par traduction, plusieurs fois plus lente
instance-machine = Machine virtuelle
instance-machine-value = { $machine }, QEMU { $qemu }
instance-cpu = Processeur virtuel
instance-never = Pas encore démarrée
instance-volumes-caption = Volumes de l’instance, le volume principal en premier
act-create-instance = Créer une instance
act-start = Démarrer
act-stop = Arrêter
act-reboot = Redémarrer
act-force-stop = Forcer l’arrêt
act-see-points = Voir les points de reprise
act-see-serial = Journal série
act-attach = Rattacher un volume
act-detach = Détacher
act-detach-named = Détacher { $name }
create-instance-what = La nouvelle instance reçoit son propre volume principal, créé à partir du modèle. Elle peut démarrer aussitôt ; le reste de ses données arrive pendant qu’elle fonctionne.
create-instance-template-option = { $name } ({ $size })
create-instance-template-option-elsewhere = { $name } ({ $size }, autre serveur)
create-instance-submit = Créer l’instance
create-instance-start = Démarrer l’instance dès qu’elle est créée
create-instance-no-hypervisor = La zone { $zone } ne peut pas faire fonctionner d’instance : QEMU n’y est pas installé. Une instance peut y être créée, mais pas démarrée.
create-instance-no-template = Une instance se crée à partir d’un modèle, et l’organisation n’en a pas encore de prêt. Importez une image disque, ou créez un modèle à partir de la copie instantanée d’un volume principal.
create-instance-to-templates = Aller aux modèles
start-title = Démarrer une instance
start-what = L’instance « { $name } » démarrera depuis son volume principal.
stop-title = Arrêter une instance
stop-what = L’instance « { $name } » recevra une demande d’arrêt, comme si l’on appuyait sur son bouton d’alimentation : son système ferme ses programmes, puis s’éteint.
stop-deadline = Le système a { $time } pour s’éteindre. S’il ne répond pas, l’instance continue de fonctionner et vous pourrez forcer l’arrêt.
force-title = Forcer l’arrêt d’une instance
force-what = L’instance « { $name } » sera arrêtée sur-le-champ, comme par une coupure de courant.
force-lost = Tout ce qui n’est que dans sa mémoire sera perdu, y compris ce que ses programmes n’ont pas fini d’écrire. Ce qui est sur ses volumes y reste.
reboot-title = Redémarrer une instance
reboot-what = L’instance « { $name } » recevra une demande d’arrêt, puis sera démarrée de nouveau.
attach-what = Le volume sera rattaché à l’instance « { $name } » et visible à son prochain démarrage. Volumes de données détachés de la zone { $zone } :
attach-volume = Volume
attach-submit = Rattacher
attach-none = Aucun volume de données n’est détaché et prêt dans la zone { $zone }.
attach-stopped = Les volumes se rattachent et se détachent quand l’instance est arrêtée.
detach-title = Détacher un volume
detach-what = Le volume « { $volume } » sera détaché de l’instance « { $name } ».
detach-keeps = Ses données ne changent pas : il peut être rattaché à cette instance ou à une autre de la même zone.
detach-gone = Ce volume n’est plus rattaché à cette instance.
delete-instance-title = Supprimer une instance
delete-instance-what = L’instance « { $name } » sera supprimée. Cette action est irréversible.
delete-instance-points = { $count ->
    [one] Son point de reprise sera supprimé avec elle : il ne sera plus possible d’y revenir.
   *[other] Ses { $count_text } points de reprise seront supprimés avec elle : il ne sera plus possible d’y revenir.
}
delete-instance-keep = { $count ->
    [one] Garder son volume, détaché
   *[other] Garder ses { $count_text } volumes, détachés
}
delete-instance-all = { $count ->
    [one] Supprimer aussi son volume et ses données
   *[other] Supprimer aussi ses { $count_text } volumes et leurs données
}
delete-instance-volumes = Volumes de l’instance :

## Journal série

serial-what = Ce que l’instance écrit sur sa console série. Les plus anciennes lignes sont effacées au-delà de 4 Mio.
serial-earlier = Afficher ce qui précède
serial-reload = Actualiser
serial-empty = L’instance n’a encore rien écrit.

## Volumes

volumes-title = Volumes
volumes-caption = Volumes de l’organisation, du plus récent au plus ancien
volumes-column-name = Volume
volumes-column-state = État
volumes-column-kind = Type
volumes-column-instance = Instance
volumes-column-zone = Zone
volumes-column-size = Taille
volumes-column-written = Données écrites
volumes-column-snapshots = Copies instantanées
volume-filling = Des données sont encore dans le stockage d’objets : elles sont lues à la demande et rapatriées.
volume-fill-interrupted = Le rapatriement de ses données a été interrompu : ce qui manque reste dans le stockage d’objets et y est lu à la demande.
volume-fill-failed = Le rapatriement de ses données a échoué : ce qui manque reste dans le stockage d’objets et y est lu à la demande.
volumes-column-action = Action
volumes-empty-title = Aucun volume
volumes-empty = Un volume est un disque virtuel. Créez-en un vide, ou importez une image disque : qcow2, VMDK, VDI, VHD, VHDX ou brute.
volumes-empty-viewer = Un volume est un disque virtuel. Personne n’en a encore créé dans cette organisation.
volumes-unknown = inconnu
volume-kind-root = Principal
volume-kind-data = Données
volume-state = { $state ->
    [creating] Création en cours
    [importing] Importation en cours
    [restoring] Restauration en cours
    [ready] Prêt
    [in-snapshot] En cours de copie instantanée
    [deleting] Suppression en cours
   *[failed] Échec
}

## Un volume

volume-created = Créé
volume-made = Origine
volume-made-empty = Aucune : il a été créé vide
volume-made-image = Une image disque
volume-made-snapshot = Copie instantanée
volume-made-snapshot-gone = Une copie instantanée, supprimée depuis
volume-made-template = Modèle « { $name } »
volume-made-template-gone = Un modèle, supprimé depuis
volume-place-root = Disque principal
volume-place = Disque { $number }
volume-open = { $open ->
    [yes] Utilisé en ce moment
   *[no] Pas utilisé en ce moment
}
volume-detached = Détaché
volume-attach-to = Rattacher à « { $name } »
volume-attach-none = Dans cette zone, aucune instance arrêtée ne peut le recevoir.
volume-frees = Libéré par sa suppression
volume-unsaved-title = Ce qui n’est pas encore sauvegardé
volume-unsaved-none = Rien n’a été écrit depuis la dernière copie instantanée, prise { $date }.
volume-unsaved-since = Écrit depuis la dernière copie instantanée, prise { $date } : { $bytes }.
volume-unsaved-origin = Il n’existe aucune copie instantanée de ce volume. Ce qui vient de son origine est dans le stockage d’objets ; ce qui a été écrit depuis n’y est pas : { $bytes }.
volume-unsaved-all = Il n’existe aucune copie instantanée de ce volume. La première sauvegardera tout ce qu’il contient : { $bytes }.
volume-unsaved-whole = La prochaine copie instantanée ne peut s’appuyer sur aucune autre : elle sauvegardera tout ce que le volume contient, { $bytes }.
volume-unsaved-unknown = Le contenu du volume ne peut pas être consulté : ce qui n’est pas sauvegardé n’est pas connu.
volume-unsaved-nothing = Le volume ne contient encore rien à sauvegarder.
volume-snapshots-none = Il n’existe aucune copie instantanée de ce volume.
volume-snapshots-caption = Copies instantanées du volume, de la plus récente à la plus ancienne
volume-snapshots-all = Voir les { $count } copies instantanées
volume-growth-title = Croissance
volume-growth-told = De { $before } { $date } à { $now } { $last }.
volume-growth-now = Écrites à présent
volume-growth-figures = Voir les chiffres

## Copies instantanées

snapshots-title = Copies instantanées
snapshots-intro = Conservées dans le stockage d’objets de la région : elles peuvent servir dans toutes ses zones.
snapshots-caption = Copies instantanées de l’organisation, de la plus récente à la plus ancienne
snapshots-column-name = Nom
snapshots-column-state = État
snapshots-column-data = Données
snapshots-column-reclaimable = Espace récupérable
snapshots-column-taken = Prise le
snapshots-of = { $volume }, zone { $zone }
snapshots-of-elsewhere = { $volume }, zone { $zone } d’un autre serveur
snapshots-of-unknown = { $volume }, autre serveur
snapshots-empty-title = Aucune copie instantanée
snapshots-empty = Une copie instantanée garde le contenu d’un volume dans le stockage d’objets de la région. Elle sert à créer un volume de données, dans n’importe quelle zone.
snapshots-empty-help = Copie instantanée ou point de reprise : quelle est la différence ?
snapshots-empty-choose = Choisir un volume
snapshot-state = { $state ->
    [creating] Création en cours
    [saving] Sauvegarde en cours
    [saved] Sauvegardée
    [verified] Vérifiée
    [deleting] Suppression en cours
   *[failed] Échec
}
snapshot-state-saving-percent = Sauvegarde en cours, { $percent }

## Une copie instantanée

snapshot-stored = Données envoyées
snapshot-of = Volume
snapshot-volume-gone = Ce volume n’existe plus.
snapshot-zone = Zone d’origine
snapshot-zone-elsewhere = { $zone }, sur un autre serveur
snapshot-zone-unknown = Un autre serveur
snapshot-verified = Dernière vérification
snapshot-verified-never = Jamais encore
snapshot-next = Prochaine vérification
snapshot-next-never = Sur demande seulement
snapshot-size = Taille du disque
snapshot-holds-title = Ce qu’elle contient
snapshot-holds = Tout ce que le disque « { $volume } » contenait { $date }. Données : { $data }, sur un disque de { $size }.
snapshot-holds-later = Tout ce que le disque « { $volume } » contenait { $date }. La sauvegarde n’est pas terminée.
snapshot-holds-nothing = Rien qui puisse servir : elle n’est pas dans le stockage d’objets, ou elle y est endommagée.
snapshot-lacks = Elle ne contient pas :
snapshot-lacks-memory = la mémoire de l’instance : ce que ses programmes étaient en train de faire ;
snapshot-lacks-disks = les autres disques de l’instance : chaque volume a ses propres copies, chacune prise à son instant ;
snapshot-lacks-writes = ce que le système de l’instance n’avait pas encore écrit sur le disque.
snapshot-consistency = Si une instance en marche utilisait le volume, la copie est dans l’état d’un disque après une coupure de courant. Ce que le système avait fini d’écrire y est ; à l’ouverture, un système de fichiers journalisé se remet en ordre de lui-même.
snapshot-zones-title = Où elle peut servir
snapshot-zones = Un volume de données peut en être créé dans ces zones, et être utilisé aussitôt :
snapshot-zones-template = Elle peut aussi devenir un modèle, car c’est celle d’un volume principal.
snapshot-zones-none = Nulle part tant qu’elle n’est pas sauvegardée.
snapshot-zone-full = Pas assez d’espace libre pour tout son contenu.
snapshot-used-title = Ce qui en a été créé
snapshot-used-none = Rien n’en a encore été créé.
snapshot-used-template = Modèle
snapshot-used-volume = Volume
snapshot-used-zone = (zone { $zone })

## Points de reprise

points-tree = Points de reprise, de l’origine au présent
points-column-name = Point de reprise
points-column-holds = Contenu
points-column-created = Créé le
points-column-frees = Espace récupérable
points-holds-disks = Disques
points-holds-memory = Mémoire et disques
points-here = Vous êtes ici
points-folded = { $count ->
    [one] 1 point replié
   *[other] { $count_text } points repliés
}
points-to-here = Aller à « Vous êtes ici »
points-now = maintenant
points-since = { $bytes } depuis
points-safety = Point de sécurité
points-safety-name = Avant la restauration à « { $name } »
points-current = Point actuel
points-unknown = inconnu
points-where = Les points de reprise restent sur l’hyperviseur, dans la zone { $zone }. Si un point de sécurité est créé avant une restauration, celle-ci peut être annulée pendant 7 jours.
points-undo = La dernière restauration peut être annulée. Ce ne sera plus possible après { $until }.
points-empty-title = Aucun point de reprise
points-empty = Un point de reprise garde tous les disques de l’instance au même instant. Créez-en un juste avant un changement risqué : vous pourrez y ramener l’instance.
points-empty-cost = Rien n’est copié : un point n’occupe d’espace qu’à mesure que les disques changent ensuite. Il reste dans la zone { $zone }, sur l’hyperviseur.
points-all = Tous les points de reprise
point-create = Créer un point de reprise
point-restore = Restaurer l’instance à ce point
point-undo = Annuler la restauration
point-rename = Renommer
point-created = Créé
point-by = Par
point-holds = Contient
point-disks = { $count ->
    [one] { $count_text } disque
   *[other] { $count_text } disques
}
point-disk = { $name }, { $size }
point-coherence = Cohérence
point-instance = Instance
point-running = en marche
point-stopped = arrêtée
point-stood-still = Instance figée
point-memory = État de la mémoire
point-frees = Espace récupérable
point-hardware = Configuration
point-expires = Expire
point-creating = Création en cours
point-deleting = Suppression en cours
create-point-what = { $count ->
    [one] Le disque de « { $name } » sera gardé tel qu’il est à cet instant.
   *[other] Les { $count_text } disques de « { $name } » seront gardés tels qu’ils sont, tous au même instant.
}
create-point-name-hint = Sans nom, il s’appellera « { $proposed } ».
field-description = Description
create-point-frozen = L’agent invité répond : les systèmes de fichiers seront figés un bref instant, et donc cohérents.
create-point-power-cut = L’agent invité ne répond pas : les disques seront comme après une coupure de courant. Ce que le système a fini d’y écrire sera gardé.
create-point-one-instant = Les disques et la mémoire seront du même instant : l’agent invité n’a rien à figer.
create-point-stopped = L’instance est arrêtée : ses disques sont au repos.
create-point-cost = Rien n’est copié des disques : le point n’occupe d’espace qu’à mesure qu’ils changent ensuite.
create-point-memory = Conserver aussi l’état de la mémoire
create-point-memory-running = L’instance reste en marche, à peine figée. Une restauration la ramènera en marche à cet instant précis. Jusqu’à { $size } sur l’hyperviseur, avant compression.
create-point-memory-standing = L’instance sera figée jusqu’à ce que sa mémoire soit enregistrée. Une restauration la ramènera en marche à cet instant précis. Jusqu’à { $size } sur l’hyperviseur, avant compression.
create-point-submit = Terminer
rename-point-title = Renommer le point de reprise
rename-point-submit = Enregistrer
delete-point-title = Supprimer un point de reprise
delete-point-what = Le point de reprise « { $name } » sera supprimé. L’instance ne change pas, mais vous ne pourrez plus la ramener à ce point.
delete-point-safety = Le point de sécurité créé avant la restauration à « { $name } » sera supprimé. L’instance ne change pas.
delete-point-submit = Supprimer le point de sécurité
delete-point-children = { $count ->
    [one] Un autre point en descend : il est conservé et descendra du point précédent.
   *[other] { $count_text } autres points en descendent : ils sont conservés et descendront du point précédent.
}
delete-point-current = C’est le point actuel : l’instance descendra du point précédent.
delete-point-undo = La dernière restauration ne pourra plus être annulée.
points-views = Affichages des points de reprise
points-view-tree = Arborescence
points-view-time = Par date
points-table = Points de reprise par date
point-others = Autres actions
point-others-named = Autres actions sur « { $name } »
point-compare-here = Comparer avec l’état actuel
point-compare-before = Comparer avec le point précédent
point-delete-branch = Supprimer la branche
compare-title = Comparaison : { $from } et { $to }
compare-from = Premier état
compare-to = Second état
compare-submit = Comparer
compare-same = Le contenu des disques est le même.
compare-written = { $bytes } ont été écrits sur les disques entre les deux.
compare-at-most = Les disques diffèrent d’au plus { $bytes } : ce qui a été écrit de part et d’autre depuis que les deux se sont séparés.
compare-unknown = L’écart entre les disques ne peut pas être mesuré.
compare-between = Écart entre les deux : { $time }.
compare-days = { $days } jours
compare-disks = Disques
compare-disk = Disque
compare-differs = Écrit entre les deux
compare-nothing = rien
compare-most = au plus { $bytes }
compare-none = –
compare-was = alors { $name }
compare-only-from = seulement dans le premier
compare-only-to = seulement dans le second
compare-machine = Instance
compare-moment = Moment
compare-changed = différent
delete-branch-title = Supprimer une branche de points de reprise
delete-branch-what = { $count ->
    [0] Le point de reprise « { $name } » sera supprimé ; aucun autre n’en descend. Cette suppression est définitive.
    [one] Le point de reprise « { $name } » et celui qui en descend seront supprimés. Cette suppression est définitive.
   *[other] Le point de reprise « { $name } » et les { $count_text } points qui en descendent seront supprimés. Cette suppression est définitive.
}
delete-branch-here = Vous êtes dans cette branche. L’instance et ses disques ne changent pas ; elle descendra de « { $onto } ».
delete-branch-here-none = Vous êtes dans cette branche. L’instance et ses disques ne changent pas, mais elle ne descendra plus d’aucun point de reprise.
delete-branch-tick = { $count ->
    [one] Je veux supprimer ce point de reprise.
   *[other] Je veux supprimer ces { $count_text } points de reprise.
}
delete-branch-submit = Supprimer la branche
volume-from-point-what = Un nouveau volume de données aura le contenu d’un disque au point « { $name } », dans la même zone. Ni le point ni l’instance ne changent.
volume-from-point-disk = Disque
volume-from-point-cost = Rien n’est copié : le volume ne prend de l’espace qu’à mesure qu’il change, et tant qu’il existe, le contenu du disque est conservé même si le point est supprimé.
template-from-point-what = Le volume principal, tel qu’il était au point « { $name } » ({ $size }), deviendra un modèle, dont toutes les zones de la région pourront se servir. Ni le point ni l’instance ne changent, et le point peut être supprimé ensuite.
template-from-point-only = Le modèle n’aura que le volume principal : ni les autres disques du point, ni la mémoire.
rollback-what = « { $instance } » reviendra au point « { $point } ».
undo-what = « { $instance } » reviendra à ce qu’elle était juste avant la restauration à « { $point } ».
rollback-now = Maintenant
rollback-after = Après
rollback-since = { $bytes } depuis le point actuel
rollback-disks = Ce qui va changer
rollback-returns = { $name } revient à son état d’alors : { $bytes } changent.
rollback-returns-unknown = { $name } revient à son état d’alors.
rollback-returns-same = { $name } n’a pas changé depuis.
rollback-detached = { $name }, rattaché depuis, sera détaché et conservé.
rollback-attached = { $name }, détaché depuis, sera rattaché : { $bytes } changent.
rollback-attached-unknown = { $name }, détaché depuis, sera rattaché et revient à son état d’alors.
rollback-comes-back = { $name }, supprimé depuis, sera recréé sous le nom « { $new } ».
rollback-restart = L’instance sera arrêtée sur-le-champ, puis démarrée de nouveau : ce qui n’est que dans sa mémoire sera perdu et ses connexions réseau seront rompues.
rollback-restart-memory = L’instance sera arrêtée sur-le-champ : ce que sa mémoire contient maintenant sera perdu, à moins que le point de sécurité ne le conserve.
rollback-memory = L’instance reprendra là où elle en était, en marche, mémoire et disques du même instant.
rollback-memory-clock = Son horloge sera remise à l’heure si l’agent invité répond.
rollback-memory-network = Les connexions réseau qui étaient ouvertes à cet instant seront rompues.
rollback-hardware = Les processeurs, la mémoire ou le type de machine redeviennent ceux du point.
rollback-safety = Créer d’abord un point de sécurité
rollback-safety-hint = Il permet d’annuler la restauration pendant 7 jours.
rollback-safety-memory = Y conserver aussi l’état présent de la mémoire
rollback-safety-memory-hint = L’instance restera figée le temps de l’enregistrer ; l’annulation la ramènera en marche à cet instant. Jusqu’à { $size } sur l’hyperviseur, avant compression.
undo-safety-hint = Il permet de revenir à l’état présent pendant 7 jours.
rollback-submit = Restaurer « { $name } »
undo-submit = Annuler la restauration de « { $name } »

## Modèles

templates-title = Modèles
templates-intro = Un modèle est le disque de départ d’une nouvelle instance. Il peut servir dans toutes les zones de la région.
templates-caption = Modèles de l’organisation, du plus récent au plus ancien
templates-column-name = Nom
templates-column-state = État
templates-column-size = Taille
templates-column-data = Données
templates-column-origin = Origine
templates-column-created = Créé le
templates-elsewhere = Autre serveur
templates-empty-title = Aucun modèle
templates-empty = Un modèle contient un système prêt à démarrer : une instance est créée à partir de lui. Importez une image disque, ou créez un modèle à partir de la copie instantanée d’un volume principal.
templates-empty-viewer = Un modèle contient un système prêt à démarrer : une instance est créée à partir de lui. Personne n’en a encore créé dans cette organisation.
act-create-template = Créer un modèle
act-import-template = Importer un modèle
act-verify = Vérifier
verify-what = Tout ce que contient « { $name } » ({ $size }) sera relu dans le stockage d’objets de la région et comparé à ses empreintes. La copie instantanée ne change pas.
verify-date = Dernière vérification : { $date }.
verify-schedule = Reprise relit aussi de lui-même, à tour de rôle, les copies instantanées sauvegardées.
verify-submit = Vérifier
create-template-what = Le contenu de « { $name } » ({ $size }) deviendra un modèle, dont toutes les zones de la région pourront se servir. La copie instantanée ne change pas, et peut être supprimée ensuite.
create-template-submit = Créer le modèle
import-template-what = Le fichier est téléversé, puis converti en modèle. Formats acceptés : qcow2, VMDK, VDI, VHD, VHDX ou image brute. Le système qu’il contient doit démarrer avec un BIOS.
delete-template-title = Supprimer un modèle
delete-template-what = Le modèle « { $name } » sera supprimé du stockage d’objets de la région. Cette action est irréversible.
delete-template-frees = Espace libéré dans le stockage d’objets : { $bytes }.
delete-template-keeps = Les instances créées à partir de ce modèle ne changent pas.

## Journal d’activités

activity-title = Journal d’activités
# Dans le nom du fichier.
activity-file = activites
activity-intro = Qui a fait quoi, quand, et comment cela s’est terminé.
activity-caption = Activités de l’organisation, de la plus récente à la plus ancienne
activity-column-when = Quand
activity-column-who = Qui
activity-column-act = Action
activity-column-subject = Objet
activity-column-outcome = Résultat
activity-column-reason = Raison
activity-csv = Télécharger en CSV (10 000 entrées au plus)
activity-file-cut = Ce fichier a les { $there } premières entrées sur { $total }. Restreignez le journal pour obtenir les autres.
activity-column-door = Par
door-console = Console
door-system = Reprise
lately-title = Dernières activités
lately-all = Voir toutes les activités
activity-empty-title = Aucune activité
activity-empty = Ce que font les membres de l’organisation s’inscrira ici.
activity-system = Reprise, sans intervention
activity-sign-in = Connexion
activity-sign-in-refused = Connexion refusée
activity-sign-out = Déconnexion
activity-attach = Rattachement d’un volume
activity-detach = Détachement d’un volume
activity-rename-point = Modification d’un point de reprise
activity-set-clock = Mise à l’heure de l’horloge d’une instance
activity-snapshot-gone = Suppression d’une copie instantanée par un autre serveur
activity-template-gone = Suppression d’un modèle par un autre serveur
activity-save-kit = Enregistrement de la trousse de récupération
activity-rename-member = Changement de nom d’un membre
activity-change-password = Changement de mot de passe
activity-change-password-refused = Changement de mot de passe refusé
activity-end-sessions = Fermeture de ses autres sessions
activity-invite = { $role ->
    [owner] Invitation d’un propriétaire
    [editor] Invitation d’un éditeur
   *[viewer] Invitation d’un observateur
}
activity-withdraw-invitation = Retrait d’une invitation
activity-join = Entrée dans l’organisation
activity-change-role = { $role ->
    [owner] Nouveau rôle : Propriétaire
    [editor] Nouveau rôle : Éditeur
   *[viewer] Nouveau rôle : Observateur
}
activity-remove-member = Retrait d’un membre
activity-leave = Départ de l’organisation
activity-interrupt = { $kind ->
    [create-volume] Interruption de la création d’un volume
    [import-volume] Interruption d’une importation
    [delete-volume] Interruption de la suppression d’un volume
    [take-snapshot] Interruption d’une copie instantanée
    [delete-snapshot] Interruption de la suppression d’une copie instantanée
    [create-instance] Interruption de la création d’une instance
    [create-point] Interruption de la création d’un point de reprise
    [create-template] Interruption de la création d’un modèle
    [import-template] Interruption de l’importation d’un modèle
    [verify-snapshot] Interruption de la vérification d’une copie instantanée
    [fill-volume] Interruption du rapatriement des données d’un volume
   *[restore-volume] Interruption de la création d’un volume de données
}
activity-retry = { $kind ->
    [create-volume] Nouvelle tentative de création d’un volume
    [import-volume] Nouvelle tentative d’importation
    [delete-volume] Nouvelle tentative de suppression d’un volume
    [take-snapshot] Nouvelle tentative de copie instantanée
    [delete-snapshot] Nouvelle tentative de suppression d’une copie instantanée
    [create-instance] Nouvelle tentative de création d’une instance
    [start-instance] Nouvelle tentative de démarrage d’une instance
    [stop-instance] Nouvelle tentative d’arrêt d’une instance
    [reboot-instance] Nouvelle tentative de redémarrage d’une instance
    [delete-instance] Nouvelle tentative de suppression d’une instance
    [create-point] Nouvelle tentative de création d’un point de reprise
    [delete-point] Nouvelle tentative de suppression d’un point de reprise
    [rollback] Nouvelle tentative de restauration d’une instance
    [create-template] Nouvelle tentative de création d’un modèle
    [import-template] Nouvelle tentative d’importation d’un modèle
    [delete-template] Nouvelle tentative de suppression d’un modèle
    [verify-snapshot] Nouvelle tentative de vérification d’une copie instantanée
    [fill-volume] Nouvelle tentative de rapatriement des données d’un volume
   *[restore-volume] Nouvelle tentative de création d’un volume de données
}
outcome-done = Réussite
outcome-running = En cours
outcome-interrupted = Interruption
outcome-failed = Échec

## Dialogues

take-snapshot-what = Une copie de « { $name } » sera enregistrée dans le stockage d’objets de la région { $region } et pourra servir { $count ->
    [one] dans sa zone
   *[other] dans ses { $count_text } zones
}. Le volume reste utilisable pendant ce temps.
take-snapshot-name = Nom
take-snapshot-name-hint = Sans nom, elle s’appellera « { $proposed } ».
take-snapshot-plan-since = { $bytes } à transférer au plus : ce qui a changé depuis la copie prise { $since }, sur { $written } de données écrites.
take-snapshot-plan-nothing = Rien n’a changé depuis la copie prise { $since } : presque rien ne sera transféré.
take-snapshot-plan-origin = { $bytes } à transférer au plus : ce qui a été écrit depuis que le volume a été créé. Le reste est déjà dans le stockage d’objets.
take-snapshot-plan-origin-nothing = Rien n’a été écrit depuis que le volume a été créé : presque rien ne sera transféré.
take-snapshot-plan-all = { $bytes } à transférer au plus : toutes les données écrites, car aucune copie antérieure de ce volume ne peut servir de base.
take-snapshot-limits = Une copie instantanée ne contient ni la mémoire d’une instance ni ses autres disques.
take-snapshot-help = Copie instantanée ou point de reprise ?

create-volume-what = Un volume de données vide. L’espace n’est occupé qu’à mesure que des données y sont écrites.
field-name = Nom
field-zone = Zone
field-zone-option = { $zone } ({ $free } libres)
create-volume-size = Taille, en Gio
create-volume-size-hint = De { $min } à { $max } Gio.

import-what = Le fichier est téléversé, puis converti en volume. Formats acceptés : qcow2, VMDK, VDI, VHD, VHDX ou image brute.
import-file = Fichier
import-kind = Type
import-kind-root = Volume principal (système)
import-kind-data = Volume de données
import-submit = Importer
import-sending = Téléversement : { $percent }
import-sending-of = { $done } sur { $total } téléversés
import-sent = Fichier reçu. Vérification en cours.
import-stop = Arrêter le téléversement
import-progress = Avancement du téléversement

restore-what = Le contenu de « { $name } » ({ $size }) sera copié dans un nouveau volume de données, dans la zone de votre choix. La copie instantanée ne change pas.
restore-submit = Créer le volume

delete-volume-title = Supprimer un volume
delete-volume-what = Le volume « { $name } » sera supprimé avec ses données. Cette action est irréversible.
delete-frees = Espace libéré dans la zone : { $bytes }.
delete-volume-keeps = { $count ->
    [one] Sa copie instantanée reste dans le stockage d’objets de la région : elle permettra de recréer un volume de données.
   *[other] Ses { $count_text } copies instantanées restent dans le stockage d’objets de la région : elles permettront de recréer un volume de données.
}
delete-volume-lost = Il n’existe aucune copie instantanée de ce volume : ce qu’il contient sera perdu.
delete-volume-tick = Je comprends que ces données seront perdues.
delete-snapshot-title = Supprimer une copie instantanée
delete-snapshot-what = La copie instantanée « { $name } » sera supprimée du stockage d’objets de la région. Cette action est irréversible.
delete-snapshot-frees = Espace libéré dans le stockage d’objets : { $bytes }. Le reste est partagé avec d’autres copies.
delete-snapshot-keeps = Les autres copies instantanées restent entières, et les volumes créés à partir de celle-ci ne changent pas.
delete-submit = Supprimer « { $name } »

## Trousse de récupération

kit-title = Trousse de récupération
# Dans le nom du fichier.
kit-file = trousse
kit-lead = Les copies instantanées et les modèles de l’organisation sont chiffrés dans le stockage d’objets. La trousse est un fichier qui contient les clés de l’organisation, protégées par une phrase de passe. Sans cette trousse et sans le dossier de données du serveur, personne ne peut relire les copies instantanées de l’organisation.
kit-owners = Seuls les propriétaires de l’organisation peuvent enregistrer sa trousse de récupération.
kit-reminder = Il manque une trousse de récupération à jour. Sans elle et sans le dossier de données du serveur, personne ne pourra relire les copies instantanées de l’organisation.
kit-reminder-save = Enregistrer la trousse
kit-reminder-later = Plus tard
kit-saved = Dernière trousse enregistrée : { $date }, par { $who }. Elle contient toutes les clés de l’organisation.
kit-outdated = Dernière trousse enregistrée : { $date }, par { $who }. L’organisation a une nouvelle clé depuis : enregistrez une nouvelle trousse.
kit-never = Aucune trousse n’a encore été enregistrée.
kit-nothing = L’organisation n’a encore rien dans le stockage d’objets. Vous pouvez déjà enregistrer sa trousse.
kit-passphrase = Phrase de passe
kit-passphrase-rule = Au moins { $min } caractères. Plusieurs mots sans lien entre eux conviennent bien.
kit-again = La même, une seconde fois
kit-submit = Télécharger la trousse
kit-keep-title = Comment la conserver
kit-keep-apart = Gardez la trousse et sa phrase de passe à deux endroits différents, hors du serveur et hors du stockage d’objets.
kit-keep-lost = La phrase de passe n’est conservée nulle part. Si elle est perdue, téléchargez une autre trousse pendant que le serveur fonctionne.
kit-keep-again = Chaque téléchargement est inscrit au journal d’activités. Les trousses plus anciennes gardent leur propre phrase de passe.
kit-keep-use = Sur une autre machine, la trousse s’utilise avec la commande

## Zones : pour les opérateurs

zones-title = Zones
zones-intro = L’état de l’installation : les zones et leur espace, le stockage d’objets, l’hyperviseur, le travail en cours. Des organisations, cette page ne montre que des nombres.
zones-operators = Cette page est réservée aux opérateurs de l’installation. Sur la machine du serveur, cette commande en ajoute :
zones-troubles = À surveiller
zones-sound = Tout fonctionne. Rien ne demande votre attention.
zones-grave = Panne
zones-look = À voir
zones-card = { $what ->
    [archive] Stockage d’objets de la région
    [hypervisor] Hyperviseur
    [program] Reprise
   *[zone] Zone { $name }
}
zones-of = { $done } sur { $total }
zones-room = { $taken } sur { $total } ({ $percent })
zones-share = { $size }, soit { $percent } de la capacité
zones-apart-caption = Ce que le stockage primaire contient et que le catalogue ne connaît pas, mis en quarantaine
zones-apart = En quarantaine
zones-apart-intro = Rien n’est supprimé : le catalogue a peut-être été rétabli d’une sauvegarde plus ancienne. L’identifiant est celui du moteur de stockage.
zones-apart-kind = Quoi
zones-apart-id = Identifiant
zones-apart-found = Trouvé
zones-work = Travail
zones-work-caption = Les tâches en cours, en attente et en échec, par type, de toutes les organisations
zones-work-none = Aucune tâche n’est en cours ni en attente, et aucune n’a échoué depuis 24 h.
zones-work-kind = Tâche
zones-work-state = État
zones-work-count = Nombre
zones-work-since = Depuis
zones-work-why = Raison
zones-work-own = Consignée dans le journal d’activités de l’organisation
zones-work-next = Nouvelle tentative { $date }
zones-fact = { $fact ->
    [pool] Stockage primaire
    [room] Espace occupé
    [free] Libre pour les écritures
    [used] Données des volumes et des points de reprise
    [memories] Mémoires gardées dans les points de reprise
    [reserve] Réserve pour les suppressions et les tâches en cours
    [promised] Taille totale des volumes
    [file-system] Système de fichiers
    [instances] Instances en marche
    [memory] Mémoire attribuée aux instances
    [memory-available] Mémoire disponible sur la machine
    [vcpus] Processeurs virtuels attribués, processeurs de la machine
    [volumes] Volumes
    [poisoned] Volumes dont une écriture a échoué
    [damaged] Volumes endommagés
    [filling] Volumes à rapatrier
    [layers] Couches
    [open-layers] Couches ouvertes à l’écriture
    [checkpoints] États figés
    [bases] Bases de différences
    [unsealed] États figés à sceller
    [reclaimed] Dernière récupération d’espace
    [reclaimed-bytes] Espace récupéré alors
    [store-kind] Type
    [store-place] Emplacement
    [store-host] Service
    [store-region] Région du service
    [store-writers] Serveurs
    [store-mark] Marque
    [store-answers] Répond
    [store-since] Ne répond plus depuis
    [store-asked] Dernière interrogation
    [store-took] Temps de réponse
    [store-read] Organisations lues depuis le démarrage
    [store-snapshots] Copies instantanées et modèles
    [store-objects] Objets
    [store-bytes] Taille des objets
    [store-unneeded] Taille de ce qui ne sert plus
    [store-holds] Retenues
    [store-condemned] Objets à supprimer au prochain nettoyage
    [store-damaged] Objets endommagés
    [compared] Dernière comparaison avec le catalogue
    [pruned] Dernier nettoyage
    [pruned-bytes] Espace libéré alors
    [kits] Organisations sans trousse de récupération à jour
    [qemu] QEMU
    [why] Raison donnée par QEMU
    [accelerator] Accélération
    [without-kvm] Pourquoi pas KVM
    [memory-way] Mémoire d’une instance en marche
    [why-standing] Raison donnée par QEMU
    [sandbox] Confinement de QEMU
    [machine] Machine des nouvelles instances
    [cpu] Processeur des nouvelles instances
    [health] État du serveur
    [version] Version
    [formats] Formats du catalogue, du stockage primaire, du stockage d’objets
   *[opened] En service depuis
}
zones-word = { $word ->
    [closed] Fermé
    [damaged] Endommagé
    [given-up] Entamée
    [folder] Dossier de cette machine
    [bucket] Compartiment S3
    [alone] Celui-ci seulement
    [many] Peut être partagé
    [yes] Oui
    [no] Non
    [asking] Interrogation en cours
    [none] Absent
    [kvm] KVM
    [tcg] Traduction (TCG)
    [no-processor] Le processeur n’offre pas la virtualisation à ce système
    [no-device] /dev/kvm est absent
    [no-permission] Le serveur n’a pas le droit d’ouvrir /dev/kvm
    [no-start] QEMU ne démarre pas avec KVM
    [running] Gardée pendant que l’instance est en marche
    [standing] Gardée pendant que l’instance est en pause
    [on] Actif
    [off] Inactif
    [serves] Le serveur répond (/healthz)
    [volume] Volume
    [checkpoint] État figé
   *[not-yet] Pas encore
}
zones-trouble = { $what ->
    [store-silent] Le stockage d’objets ne répond pas, ou refuse, depuis { $since }. Les sauvegardes attendent et reprendront d’elles-mêmes. Vérifiez le réseau et les droits d’accès, ou montez son dossier.
    [store-other] Le stockage d’objets n’est plus le même depuis { $since }. Rien n’y est écrit. Rétablissez l’ancien ; pour en changer exprès, supprimez le fichier keys/store du dossier de données.
    [store-full] Le stockage d’objets est plein depuis { $since }. Agrandissez-le, ou supprimez des copies instantanées.
    [store-key] La clé du stockage d’objets n’est pas celle de ce serveur, depuis { $since }. Importez la trousse de récupération :
    [store-damaged] { $count ->
        [one] Un objet du stockage d’objets est endommagé ou illisible.
       *[other] { $count_text } objets du stockage d’objets sont endommagés ou illisibles.
    } Une vérification dit quelles copies instantanées sont touchées :
    [zone-dropped] La zone { $subject } n’est plus dans la configuration. Ses volumes sont gardés ; elle n’en prend pas de nouveaux. Remettez-la, ou videz-la.
    [apart] { $count ->
        [one] La zone { $subject } contient un élément que le catalogue ne connaît pas.
       *[other] La zone { $subject } contient { $count_text } éléments que le catalogue ne connaît pas.
    } Si le catalogue vient d’une sauvegarde, ils sont peut-être plus récents qu’elle.
    [pool-damaged] Le stockage primaire de la zone { $subject } est endommagé et reste fermé. Le journal du serveur dit quel fichier ; rien n’en est servi.
    [pool-closed] Le stockage primaire de la zone { $subject } n’a pas pu s’ouvrir. Le journal du serveur dit pourquoi, sous cette référence :
    [pool-unmeasured] L’espace de la zone { $subject } ne peut pas être mesuré. Vérifiez que son système de fichiers est monté.
    [pool-full] La zone { $subject } est pleine : les instances qui écrivent s’arrêtent. Supprimez des points de reprise ou des volumes, ou agrandissez son système de fichiers.
    [pool-low] Il reste moins de 10 % d’espace dans la zone { $subject }. Supprimez des points de reprise, ou agrandissez son système de fichiers.
    [poisoned] { $count ->
        [one] Dans la zone { $subject }, le disque de la machine n’a pas confirmé une écriture d’un volume.
       *[other] Dans la zone { $subject }, le disque de la machine n’a pas confirmé des écritures de { $count_text } volumes.
    } Vérifiez ce disque, puis restaurez les instances touchées à un point de reprise.
    [damaged] { $count ->
        [one] Dans la zone { $subject }, un volume est endommagé : il ne s’ouvre pas.
       *[other] Dans la zone { $subject }, { $count_text } volumes sont endommagés : ils ne s’ouvrent pas.
    } Le journal du serveur dit quels fichiers. Recréez-les à partir d’une copie instantanée.
    [reclaim-failed] Dans la zone { $subject }, la dernière récupération d’espace a échoué. La prochaine suppression en lance une autre ; le journal du serveur dit pourquoi.
    [no-hypervisor] Aucune instance ne peut fonctionner : QEMU est absent ou ne démarre pas. Installez qemu-system-x86, puis redémarrez Reprise.
    [no-processor] Les instances fonctionnent par traduction, beaucoup plus lentement : le processeur n’offre pas la virtualisation à ce système. Activez-la dans le BIOS, ou dans l’hyperviseur qui porte cette machine.
    [no-device] Les instances fonctionnent par traduction, beaucoup plus lentement : /dev/kvm est absent. Chargez le module kvm_intel ou kvm_amd, puis redémarrez Reprise.
    [no-permission] Les instances fonctionnent par traduction, beaucoup plus lentement : le serveur n’a pas le droit d’ouvrir /dev/kvm. Ajoutez son utilisateur au groupe kvm, puis redémarrez Reprise.
    [no-start] Les instances fonctionnent par traduction, beaucoup plus lentement : QEMU ne démarre pas avec KVM. Le journal du serveur donne son message.
    [standing] Une instance est mise en pause le temps d’enregistrer sa mémoire : ici, QEMU ne sait pas le faire pendant qu’elle fonctionne. Un noyau avec userfaultfd (Linux 5.7) le permet.
    [no-sandbox] QEMU fonctionne sans confinement : cette version le refuse. Installez celle de votre distribution.
    [memory-promised] Les instances en marche ont ensemble plus de mémoire que la machine. Arrêtez-en, ou ajoutez de la mémoire.
   *[kits] { $count ->
        [one] Une organisation n’a pas de trousse de récupération à jour.
       *[other] { $count_text } organisations n’ont pas de trousse de récupération à jour.
    } Si le dossier de données se perdait, leurs copies instantanées ne pourraient plus être relues. Une trousse pour toutes se fait sur la machine du serveur :
}

## Profil

profile-title = Profil
profile-intro = Votre nom, vos préférences, votre mot de passe et vos sessions.
profile-saved = Votre profil est enregistré.
profile-who = Vous et la console
profile-member = Votre place dans l’organisation
profile-name = Nom
profile-language-browser = Celle que demande le navigateur
profile-time-zone = Fuseau horaire
profile-time-zone-hint = Toutes les heures de la console suivent ce fuseau.
profile-time-zone-organization = Celui de l’organisation ({ $zone })
profile-save = Enregistrer le profil
profile-password-current = Mot de passe actuel
profile-password-rule = Au moins { $min } caractères. Plusieurs mots sans lien entre eux conviennent bien.
profile-password-what = Vos autres sessions prendront fin ; celle-ci reste ouverte.
profile-password-submit = Changer le mot de passe
profile-password-saved = Votre mot de passe est changé. Vos autres sessions ont pris fin.
profile-sessions = Vos sessions
profile-session-this = Celle-ci.
profile-session = Ouverte le { $since }, dernière activité le { $seen }
profile-sessions-end = Mettre fin aux autres sessions
profile-sessions-ended = Vos autres sessions ont pris fin.

## Organisation

organization-title = Organisation
organization-region = région { $region }
organization-members = Membres
organization-role = Rôle
organization-seen = Dernière visite
organization-seen-never = Jamais
organization-you = Vous
organization-manage = Gérer
organization-manage-named = Gérer { $name }
organization-invitations = Invitations en attente
organization-asker = De la part de
organization-until = Valable jusqu’au
organization-withdraw = Retirer
organization-withdraw-named = Retirer l’invitation de { $email }
organization-withdrawn = L’invitation est retirée. Son lien ne fonctionne plus.
organization-removed = Ce membre est retiré de l’organisation et n’y a plus accès.
organization-invite = Inviter par lien
organization-invite-what = Reprise n’envoie pas de courriel : vous obtenez un lien à transmettre vous-même. Il sert une seule fois, pendant { $days } jours. Une nouvelle invitation à la même adresse remplace l’ancienne.
organization-invite-submit = Créer le lien
organization-roles = Le propriétaire peut tout faire, y compris gérer les membres. L’éditeur peut tout faire, sauf gérer les membres. L’observateur consulte seulement.
organization-link = Lien d’invitation
organization-link-what = L’invitation est créée. Copiez ce lien maintenant et transmettez-le à la personne invitée : il ne sera plus affiché. Quiconque le possède peut entrer dans l’organisation à sa place.
member-role = Rôle dans l’organisation
member-role-save = Changer le rôle
member-role-saved = Le rôle est changé. Il vaut dès maintenant.
member-remove = Retirer de l’organisation
member-remove-what = { $name } perdra l’accès sur-le-champ : toutes ses sessions et les invitations de sa part prendront fin. Rien de ce qui appartient à l’organisation n’est supprimé, et ce que cette personne a fait reste dans le journal d’activités, sous son nom. Pour revenir, il lui faudra une nouvelle invitation.
member-remove-sure = Je comprends que { $name } n’aura plus accès à l’organisation.
member-remove-submit = Retirer { $name }
member-leave = Quitter l’organisation
member-leave-what = Vous perdrez l’accès sur-le-champ : toutes vos sessions et les invitations de votre part prendront fin. Rien de ce qui appartient à l’organisation n’est supprimé, et ce que vous avez fait reste dans le journal d’activités, sous votre nom. Pour revenir, il vous faudra une nouvelle invitation.
member-leave-sure = Je comprends que je n’aurai plus accès à l’organisation.
member-leave-submit = Quitter l’organisation

## Invitation

join-title = Invitation
join-heading = Rejoindre { $organization }
join-what = { $who } vous invite dans l’organisation { $organization }. Votre rôle : { $role }.
join-submit = Rejoindre l’organisation
join-not-usable-title = Ce lien ne peut pas servir


## Aide

help-title = Copie instantanée ou point de reprise ?
help-lead = Les deux gardent l’état de disques à un moment donné. Ils ne servent pas à la même chose, et ni l’un ni l’autre ne remplace une sauvegarde conservée ailleurs.
help-snapshot-title = La copie instantanée d’un volume
help-snapshot-what = Elle garde le contenu d’un seul volume, tel qu’il était à l’instant où elle a été prise. Ses données sont enregistrées dans le stockage d’objets de la région, loin des disques de la zone : elle survit au volume et peut servir dans toutes les zones de la région.
help-snapshot-when = Prenez une copie instantanée :
help-snapshot-when-1 = pour garder les données d’un volume avant de le supprimer ou de le modifier ;
help-snapshot-when-2 = pour créer un volume de données identique, dans la même zone ou dans une autre ;
help-snapshot-when-3 = pour que le contenu d’un volume survive à la perte du stockage de sa zone.
help-snapshot-cost-title = Ce qu’elle coûte
help-snapshot-cost = Le volume reste utilisable pendant la sauvegarde. La première copie transfère toutes les données écrites ; les suivantes, seulement ce qui a changé depuis. La colonne « Espace récupérable » indique ce que libérerait la suppression d’une copie : ce que d’autres copies utilisent encore est conservé.
help-not-title = Ce qu’une copie instantanée ne contient pas
help-not-memory = La mémoire de l’instance : ce qu’un programme n’a pas encore écrit sur le disque n’y est pas. Le disque se retrouve comme après une coupure de courant.
help-not-disks = Les autres disques : chaque copie ne concerne qu’un volume. Deux copies prises l’une après l’autre ne sont pas du même instant.
help-not-settings = La configuration de l’instance, son réseau et son nom.
help-not-backup = Un second lieu de conservation : si le stockage d’objets de la région est perdu, ses copies le sont aussi. Gardez une sauvegarde hors de la région de ce que vous ne pouvez pas perdre.
help-point-title = Le point de reprise d’une instance
help-point-what = Il garde tous les disques d’une instance au même instant. Il reste dans la zone, sur l’hyperviseur : y revenir est immédiat, mais il disparaît avec le stockage de la zone et ne peut pas servir ailleurs.
help-point-when = Créez un point de reprise juste avant un changement risqué, pour pouvoir ramener l’instance là où elle était.
help-point-memory = Si l’instance est en marche, il peut garder aussi sa mémoire : elle continue alors de cet instant, sans redémarrer. Sans la mémoire, elle démarre de nouveau à partir de ses disques, comme après une coupure de courant.
help-compare-title = En bref
help-compare-caption = Copie instantanée et point de reprise comparés
help-compare-question = Question
help-compare-snapshot = Copie instantanée
help-compare-point = Point de reprise
help-compare-of = De quoi ?
help-compare-of-snapshot = d’un volume
help-compare-of-point = de tous les disques d’une instance
help-compare-memory = Avec la mémoire ?
help-compare-memory-snapshot = jamais
help-compare-memory-point = si vous le demandez
help-compare-where = Où ?
help-compare-where-snapshot = dans le stockage d’objets de la région
help-compare-where-point = dans la zone, sur l’hyperviseur
help-compare-use = Pour quoi faire ?
help-compare-use-snapshot = créer un volume dans n’importe quelle zone
help-compare-use-point = ramener l’instance en arrière
help-words = D’autres logiciels disent « instantané », « cliché » ou « snapshot » pour l’une comme pour l’autre. Ici, chaque chose a son nom.

## Page inconnue

missing-title = Cette page n’existe pas
missing-what = L’adresse est inexacte, ou ce qu’elle désignait n’est plus là.
missing-back = Aller à l’accueil

## Ce qui n’a pas réussi : ce qui s’est passé, puis ce que vous pouvez faire

fault-sign-in-needed = Votre session est terminée. Connectez-vous pour continuer.
fault-wrong-credentials = Le courriel ou le mot de passe est inexact. Vérifiez-les, puis réessayez.
fault-too-many-attempts = Trop de tentatives de connexion. Réessayez dans { $time }.
fault-password-change-needed = Votre mot de passe est à usage unique. Choisissez le vôtre avant de continuer.
fault-password-too-short = Ce mot de passe est trop court : il faut au moins { $min } caractères.
fault-passwords-differ = Les deux mots de passe ne sont pas identiques. Saisissez-les de nouveau.
fault-wrong-password = Le mot de passe actuel est inexact. Saisissez-le de nouveau ; rien n’a été changé.
fault-address-unreadable = Cette adresse n’est pas un courriel. Saisissez-la sous la forme nom@domaine.
fault-address-not-free = Cette adresse ne peut pas être invitée. Vérifiez-la dans la liste des membres, ou demandez à la personne une autre adresse.
fault-invitation-not-usable = Cette invitation ne peut pas servir : elle a déjà servi, elle a expiré ou elle a été retirée, ou le lien est incomplet. Copiez de nouveau le lien en entier, ou demandez-en un autre à l’organisation.
fault-last-owner = Il n’y a pas d’autre propriétaire, et l’organisation doit en garder un. Donnez d’abord ce rôle à un autre membre.
fault-own-role = Vous ne pouvez pas changer votre propre rôle. Demandez à un autre propriétaire de l’organisation.
fault-time-zone-unknown = Ce fuseau horaire n’est pas connu. Choisissez-en un dans la liste.
fault-not-confirmed = Rien n’a été fait. Cochez la case pour confirmer que vous avez compris.
fault-passphrase-too-short = Cette phrase de passe est trop courte : il faut au moins { $min } caractères.
fault-passphrases-differ = Les deux phrases de passe ne sont pas identiques. Saisissez-les de nouveau.
fault-not-allowed = Votre rôle ne permet pas cette action. Adressez-vous à un propriétaire de l’organisation.
fault-not-found = { $what ->
    [volume] Ce volume n’existe pas ou n’existe plus. Actualisez la liste des volumes.
    [snapshot] Cette copie instantanée n’existe pas ou n’existe plus. Actualisez la liste des copies instantanées.
    [zone] Cette zone n’existe pas ou n’existe plus. Choisissez-en une autre.
    [job] Cette tâche n’existe pas ou n’existe plus. Consultez le journal d’activités.
    [instance] Cette instance n’existe pas ou n’existe plus. Actualisez la liste des instances.
    [point] Ce point de reprise n’existe pas ou n’existe plus. Actualisez la page des points de reprise.
    [member] Ce membre n’existe pas ou n’existe plus. Actualisez la page de l’organisation.
    [invitation] Cette invitation n’existe pas ou n’existe plus. Actualisez la page de l’organisation.
    [template] Ce modèle n’existe pas ou n’existe plus. Actualisez la liste des modèles.
   *[page] Cette page n’existe pas. Revenez à l’accueil.
}
fault-foreign-origin = La demande venait d’une autre page que celles de Reprise et a été refusée. Rechargez la page, puis recommencez.
fault-bad-request = La demande était incomplète ou mal formée. Rechargez la page, puis recommencez.
fault-name-empty = Donnez un nom.
fault-name-too-long = Ce nom est trop long : { $max } caractères au plus.
fault-name-unreadable = Ce nom contient des caractères invisibles. Saisissez-le de nouveau au clavier.
fault-name-taken = Le nom « { $name } » est déjà pris. Choisissez-en un autre.
fault-size-out-of-range = La taille doit être comprise entre { $min } et { $max } Gio.
fault-in-use = « { $name } » est déjà l’objet d’une autre tâche, ou son état ne permet pas cette action. Attendez que la tâche soit terminée, puis réessayez.
fault-snapshot-not-usable = La copie instantanée « { $name } » n’est pas dans le stockage d’objets. Attendez qu’elle soit sauvegardée, ou choisissez-en une autre.
fault-pool-full = La zone { $zone } n’a plus assez d’espace : { $free } libres. Supprimez des volumes, ou choisissez une autre zone.
fault-upload-cut-off = Le téléversement s’est arrêté avant la fin du fichier. Rien n’a été créé ; recommencez.
fault-upload-missing = Aucun fichier n’a été reçu. Choisissez un fichier, puis recommencez.
fault-not-a-disk-image = Ce fichier n’est pas une image disque lisible. Choisissez une image qcow2, VMDK, VDI, VHD, VHDX ou brute.
fault-image-not-self-contained = Cette image dépend d’un autre fichier. Convertissez-la en image autonome (par exemple avec qemu-img convert), puis recommencez.
fault-image-too-large = Cette image demande { $needed }, et la zone n’a que { $free } libres. Libérez de l’espace, ou choisissez une autre zone.
fault-importer-missing = Le serveur ne peut pas convertir d’image : qemu-img n’y est pas installé. Signalez-le à la personne qui gère le serveur.
fault-object-store-unavailable = Le stockage d’objets de la région ne répond pas ou refuse l’écriture. Rien n’est perdu ; réessayez plus tard.
fault-object-store-other = Le stockage d’objets n’est pas celui dont cette région se servait. La personne qui gère le serveur doit rétablir l’ancien ; rien n’est perdu.
fault-object-store-full = Le stockage d’objets de la région est plein. Supprimez des copies instantanées, puis réessayez.
fault-object-store-key-missing = Les copies instantanées de cette organisation sont chiffrées, et ce serveur n’en a pas la clé. La personne qui gère le serveur doit importer la trousse de récupération ; rien n’est perdu.
fault-object-store-key-wrong = Les copies instantanées de cette organisation sont chiffrées avec une autre clé que celle de ce serveur. La personne qui gère le serveur doit importer la bonne trousse de récupération ; rien n’est perdu.
fault-server-full = Le disque du serveur est plein. Signalez-le à la personne qui gère le serveur, puis réessayez.
fault-snapshot-damaged = Cette copie instantanée est endommagée dans le stockage d’objets (objet { $object }). Elle n’a pas été restaurée ; prenez-en une autre, ou signalez-le à la personne qui gère le serveur.
fault-volume-damaged = Les données du volume « { $name } » sont endommagées. Rien n’en a été lu ; signalez-le à la personne qui gère le serveur.
fault-hypervisor-missing = Cette zone ne peut pas faire fonctionner d’instance : QEMU n’y est pas installé. Signalez-le à la personne qui gère le serveur.
fault-start-failed = L’instance « { $name } » n’a pas pu démarrer. Réessayez ; si l’échec persiste, signalez-le à la personne qui gère le serveur.
fault-instance-died = L’instance « { $name } » s’est arrêtée sans qu’on le lui demande. Ses volumes sont intacts : vous pouvez la démarrer de nouveau.
fault-disk-stopped = L’instance « { $name } » attend : il n’est plus possible d’écrire sur un de ses volumes. Libérez de l’espace dans la zone ; elle continuera d’elle-même.
fault-stop-ignored = L’instance « { $name } » n’a pas répondu à la demande d’arrêt en { $time } et fonctionne toujours. Arrêtez-la depuis son système, ou forcez l’arrêt.
fault-must-be-stopped = Arrêtez d’abord l’instance « { $name } ».
fault-must-be-running = Démarrez d’abord l’instance « { $name } ».
fault-attached = Le volume « { $name } » est rattaché à l’instance « { $instance } ». Détachez-le d’abord.
fault-not-attachable = Le volume « { $name } » ne peut pas être rattaché à cette instance. Il faut un volume de données prêt, détaché et de la même zone, et l’instance peut en avoir sept au plus.
fault-no-offering = Choisissez les processeurs et la mémoire dans la liste.
fault-not-bootable = Aucun système ne peut démarrer depuis « { $name } » : le disque n’a pas de secteur d’amorçage. Choisissez la copie d’un volume principal, ou une image qui contient un système.
fault-needs-uefi = « { $name } » ne démarre qu’avec UEFI, que l’hyperviseur n’offre pas. Choisissez une image qui démarre avec un BIOS.
fault-not-a-root-volume = « { $name } » est la copie d’un volume de données. Un modèle se crée à partir de la copie instantanée d’un volume principal.
fault-disk-elsewhere = Le volume « { $volume } » de ce point est maintenant rattaché à l’instance « { $instance } ». Détachez-le de celle-ci, puis recommencez.
fault-no-memory-to-keep = L’instance « { $name } » n’est pas en marche : elle n’a pas d’état de la mémoire à conserver. Démarrez-la, ou créez le point sans la mémoire.
fault-memory-elsewhere = L’état de la mémoire de ce point a été pris avec { $then } ; cette zone a maintenant { $now }. L’instance ne peut pas y reprendre là où elle en était, mais les disques du point peuvent encore donner des volumes de données.
fault-memory-damaged = L’état de la mémoire du point « { $name } » est endommagé ou absent sur l’hyperviseur. L’instance n’a pas été restaurée et reste comme avant. Les disques du point peuvent encore donner des volumes de données.
fault-memory-not-saved = L’état de la mémoire de l’instance « { $name } » n’a pas pu être enregistré. Le point n’a pas été créé et l’instance est en marche. Recommencez, ou créez le point sans la mémoire.
fault-clock-not-set = L’agent invité n’a pas répondu : l’horloge de l’instance est restée à l’heure du point de reprise. Réglez-la dans l’instance.
fault-no-safety-point = Le point de sécurité n’a pas pu être créé. La restauration n’a pas commencé et l’instance est comme avant. Vérifiez l’espace libre de la zone, puis recommencez.
fault-plan-outdated = L’instance a changé depuis l’ouverture de ce dialogue. Vérifiez ce qui va changer, puis confirmez de nouveau.
fault-several-refused = { $started ->
    [0] L’action n’a commencé sur aucun des éléments choisis.
    [one] L’action a commencé sur { $started_text } élément.
   *[other] L’action a commencé sur { $started_text } éléments.
} { $refused ->
    [one] { $refused_text } élément a été laissé de côté, « { $name } » : { $reason }
   *[other] { $refused_text } éléments ont été laissés de côté, dont « { $name } » : { $reason }
}
fault-text-too-long = Cette description est trop longue : { $max } caractères au plus.
fault-not-undoable = Cette restauration ne peut plus être annulée. Choisissez dans l’arborescence le point de reprise auquel revenir.
fault-not-interruptible = Cette tâche ne peut plus être interrompue. Attendez qu’elle se termine.
fault-not-retryable = Cette tâche ne peut pas être réessayée. Lancez l’action de nouveau.
fault-interrupted = La tâche a été interrompue par un membre. Lancez-la de nouveau si nécessaire.
fault-unreachable = Le serveur ne répond pas. Vérifiez votre connexion, puis réessayez.
fault-internal = Une erreur s’est produite de notre côté. Réessayez ; si elle persiste, signalez la référence { $reference } à la personne qui gère le serveur.

## Nombres, grandeurs et dates

size-b = { $count ->
    [one] { $text } octet
   *[other] { $text } octets
}
size-kib = { $text } Kio
size-mib = { $text } Mio
size-gib = { $text } Gio
size-tib = { $text } Tio
size-pib = { $text } Pio
size-rate = { $size }/s
number-group = { " " }
number-point = { "," }
number-percent = { $text } %
time-milliseconds = { $text } ms
time-seconds = { $seconds } s
time-minutes = { $minutes } min
time-hours = { $hours } h
time-hours-minutes = { $hours } h { $minutes }
date-month = { $month ->
    [1] janvier
    [2] février
    [3] mars
    [4] avril
    [5] mai
    [6] juin
    [7] juillet
    [8] août
    [9] septembre
    [10] octobre
    [11] novembre
   *[12] décembre
}
date-month-short = { $month ->
    [1] janv.
    [2] févr.
    [3] mars
    [4] avril
    [5] mai
    [6] juin
    [7] juill.
    [8] août
    [9] sept.
    [10] oct.
    [11] nov.
   *[12] déc.
}
date-day = { $count ->
    [1] 1ᵉʳ
   *[other] { $text }
}
date-short = { $day } { $month } { $year }
date-time-short = { $date }, { $time }
date-time-sentence = le { $day } { $month } { $year } à { $time }
# 12 ou 24 : les heures d’un tour d’horloge.
date-hours = 24
date-clock = { $half ->
    [am] { $hour } h { $minute }
   *[pm] { $hour } h { $minute }
}
date-clock-sharp = { $half ->
    [am] { $hour } h
   *[pm] { $hour } h
}

## Fuseaux horaires : les parties du monde ; les lieux viennent du CLDR

time-zone-part = { $part ->
    [Africa] Afrique
    [America] Amérique
    [Antarctica] Antarctique
    [Arctic] Arctique
    [Asia] Asie
    [Atlantic] Océan Atlantique
    [Australia] Australie
    [Indian] Océan Indien
    [Pacific] Océan Pacifique
   *[Europe] Europe
}
time-zone-montreal = Montréal

## États des instances, des points et des modèles

instance-state = { $state ->
    [creating] Création en cours
    [stopped] Arrêtée
    [starting] Démarrage
    [running] En marche
    [stopping] Arrêt en cours
    [failed] En erreur
   *[deleting] Suppression en cours
}
template-state = { $state ->
    [creating] Création en cours
    [ready] Prêt
    [failed] Échec
   *[deleting] Suppression en cours
}
point-consistency = { $consistency ->
    [stopped] Instance arrêtée
    [frozen] Systèmes de fichiers figés
    [memory] Mémoire et disques du même instant
   *[power-cut] Comme après une coupure de courant
}
